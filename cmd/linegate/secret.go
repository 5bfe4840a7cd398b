package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"linegate"
)

// readSecret returns the first line of a file, or of standard input for "-".
func readSecret(stdin io.Reader, path string) (linegate.Secret, error) {
	source := stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer file.Close()
		source = file
	}
	line, err := bufio.NewReader(io.LimitReader(source, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	if line = strings.TrimRight(line, "\r\n"); line == "" {
		return "", fmt.Errorf("%s: its first line is empty", path)
	}
	return linegate.Secret(line), nil
}
