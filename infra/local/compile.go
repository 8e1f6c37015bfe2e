package main

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"lockstep/infra/local/shop"
	sm "lockstep/statemachine"
)

// parts is the compiled code. It stays in .lockstep between runs, so that Go links only what
// changed.
type parts struct {
	dir      string
	lambdas  map[sm.Task][]byte
	command  string            // the lockstep command
	releases map[string]string // the shop's, as folders
}

// compile builds Lockstep's Lambdas and its command, and the shop's releases.
func compile(ctx context.Context) (parts, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return parts{}, err
	}

	p := parts{dir: filepath.Join(root, ".lockstep"), releases: map[string]string{}}

	bin := filepath.Join(p.dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return p, fmt.Errorf("make the folder for what is compiled: %w", err)
	}

	p.command = filepath.Join(bin, "lockstep")
	// Without the tag aws-lambda-go imports net/rpc, for which Go keeps every method of every type.
	build := exec.CommandContext(ctx, "go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w",
		"-o", bin+string(filepath.Separator), "./functions/...", "./statemachine/lockstep")
	build.Dir = root

	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return p, fmt.Errorf("compile the Lambdas: %w\n%s", err, bytes.TrimSpace(output))
	}

	if p.lambdas, err = zips(bin); err != nil {
		return p, err
	}

	group, ctx := errgroup.WithContext(ctx)

	for _, release := range shop.Releases() {
		p.releases[release] = filepath.Join(p.dir, "releases", release)

		group.Go(func() error {
			_, err := shop.Build(ctx, release, filepath.Join(p.dir, "releases"))
			return err
		})
	}

	return p, group.Wait()
}

// bundles writes the shop's releases for AWS: for Linux, and the architecture in cdk.json.
func bundles(ctx context.Context, dir string) error {
	c, err := application(ctx)
	if err != nil {
		return err
	}

	machine := map[string]string{"x86_64": "amd64"}

	arch := cmp.Or(machine[c.Functions[0].Architecture], "arm64")
	for _, release := range shop.Releases() {
		made, err := shop.Build(ctx, release, dir, "GOOS=linux", "GOARCH="+arch)
		if err != nil {
			return err
		}

		fmt.Println(made)
	}

	return nil
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("find go on the PATH: not installed; see https://go.dev/dl")
	}

	mod := strings.TrimSpace(string(out))
	if err != nil || mod == "" || mod == os.DevNull {
		return "", errors.New(
			"find go.mod: not in a module; run this inside the checkout, whose Lambdas it compiles")
	}

	return filepath.Dir(mod), nil
}

// zips packs each Lambda for the runtime provided.al2023.
func zips(bin string) (map[sm.Task][]byte, error) {
	lambdas := map[sm.Task][]byte{}

	for _, task := range sm.Functions() {
		binary, err := os.ReadFile(filepath.Join(bin, strings.ToLower(string(task))))
		if err != nil {
			return nil, fmt.Errorf("read the Lambda %s: %w", task, err)
		}

		lambdas[task] = bootstrap(binary)
	}

	return lambdas, nil
}

// bootstrap is a zip with one executable.
func bootstrap(content []byte) []byte {
	var packed bytes.Buffer

	w := zip.NewWriter(&packed)
	header := &zip.FileHeader{Name: "bootstrap", Method: zip.Store}
	header.SetMode(0o755)

	file, err := w.CreateHeader(header)
	if err == nil {
		_, err = file.Write(content)
	}

	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // a buffer takes everything
	}

	return packed.Bytes()
}

// placeholder is the code of the application's functions before their first release.
func placeholder() []byte {
	return bootstrap([]byte("#!/bin/sh\necho 'nothing is released yet' >&2\nexit 1\n"))
}
