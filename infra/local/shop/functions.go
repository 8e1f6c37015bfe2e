package shop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "lockstep/infra/local/shop"

// buildFunctions compiles all functions of a release in one go.
func buildFunctions(ctx context.Context, release, into string, env []string) error {
	if err := os.MkdirAll(into, 0o755); err != nil {
		return err
	}

	compiled, err := os.MkdirTemp(into, "compiled-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(compiled)

	mark := module + "/api.mark=lockstep-build:" + release + ";"
	build := exec.CommandContext(ctx, "go", "build",
		"-buildvcs=false", "-tags", "lambda.norpc",
		"-ldflags", "-s -w -buildid= -X "+mark,
		"-o", compiled+string(filepath.Separator), module+"/"+release+"/...")

	build.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	if output, err := build.CombinedOutput(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return errors.New("compile the functions: found no go on the PATH; " +
				"install Go from https://go.dev/dl")
		}

		return fmt.Errorf("compile the functions (run inside the checkout, where go.mod is): %w\n%s",
			err, strings.TrimSpace(string(output)))
	}

	binaries, err := os.ReadDir(compiled)
	if err != nil {
		return err
	}

	for _, binary := range binaries {
		dir := filepath.Join(into, binary.Name())
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}

		from, to := filepath.Join(compiled, binary.Name()), filepath.Join(dir, "bootstrap")
		if err := os.Rename(from, to); err != nil {
			return err
		}
	}

	return nil
}
