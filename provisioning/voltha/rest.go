package voltha

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"linegate"
)

// maxREST bounds an answer of the controller.
const maxREST = 16 << 20

// rest speaks JSON over HTTP and sorts what went wrong.
type rest struct {
	base   *url.URL
	client *http.Client
}

// newHTTPClient follows no redirects: they would turn a POST into a GET.
func newHTTPClient(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (r *rest) get(ctx context.Context, path string, into any) error {
	body, err := r.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("GET %s: %w: %w", path, linegate.ErrTryAgain, err)
	}
	return nil
}

// change sends a request that changes something. A status of fine is no error.
func (r *rest) change(ctx context.Context, method, path string, body any, fine ...int) error {
	_, err := r.do(ctx, method, path, body, fine...)
	return err
}

func (r *rest) do(ctx context.Context, method, path string, body any, fine ...int) ([]byte, error) {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, r.base.JoinPath(path).String(), bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %w", method, path, linegate.ErrRefused, err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %w", method, path, sendError(method, err), err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxREST))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %w", method, path, sendError(method, err), err)
	}
	if response.StatusCode/100 == 2 || slices.Contains(fine, response.StatusCode) {
		return answer, nil
	}
	return nil, fmt.Errorf("%s %s: %w: %s %s", method, path, statusError(response.StatusCode), response.Status, strings.TrimSpace(string(answer[:min(len(answer), 200)])))
}

// sendError says what no answer means: a question changes nothing, and neither
// does what was never sent.
func sendError(method string, err error) error {
	var dial *net.OpError
	if method == http.MethodGet || errors.As(err, &dial) && dial.Op == "dial" {
		return linegate.ErrTryAgain
	}
	return linegate.ErrOutcomeUnknown
}

func statusError(code int) error {
	if code/100 == 5 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout {
		return linegate.ErrTryAgain
	}
	return linegate.ErrRefused
}
