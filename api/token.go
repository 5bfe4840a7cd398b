package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"linegate"
)

// RequireToken lets those requests through that bring the token, as Authorization:
// Bearer TOKEN (RFC 6750 section 2.1). It takes as long for a wrong one as for the
// right one.
func RequireToken(token linegate.Secret, next http.Handler) http.Handler {
	wanted := sha256.Sum256([]byte(token.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		brought := sha256.Sum256([]byte(given))
		if subtle.ConstantTimeCompare(wanted[:], brought[:]) != 1 || !strings.EqualFold(scheme, "Bearer") {
			w.Header().Set("WWW-Authenticate", "Bearer")
			failed(w, http.StatusUnauthorized, "the token of api.token_file is required, as Authorization: Bearer TOKEN")
			return
		}
		next.ServeHTTP(w, r)
	})
}
