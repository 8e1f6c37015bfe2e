package function

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/lambda"
	"lockstep/statemachine"
)

// world is a Lambda with the function shop-catalog, whose code of release vN lies at
// releases/vN.zip.
type world struct {
	*Functions
	service  *lambda.Service
	endpoint *cloud.Endpoint
}

func code(release string) []byte {
	var b bytes.Buffer

	w := zip.NewWriter(&b)
	f, _ := w.CreateHeader(&zip.FileHeader{Name: "bootstrap"})
	_, _ = f.Write([]byte("#!/bin/sh\necho " + release))
	_ = w.Close()

	return b.Bytes()
}

func hexDigest(release string) string {
	raw, _ := base64.StdEncoding.DecodeString(lambda.Digest(code(release)))
	return hex.EncodeToString(raw)
}

func newWorld(t *testing.T) world {
	t.Helper()

	service := lambda.New(lambda.Options{
		Runner: lambda.NewInProcess(nil),
		Code: func(bucket, key string) ([]byte, error) {
			return code(strings.TrimSuffix(strings.TrimPrefix(key, "releases/"), ".zip")), nil
		},
	})
	t.Cleanup(service.Close)

	if _, err := service.Create(lambda.Function{Name: "shop-catalog", Zip: code("v0")}); err != nil {
		t.Fatal(err)
	}

	if _, err := service.Publish("shop-catalog"); err != nil {
		t.Fatal(err)
	}

	for _, env := range statemachine.Environments() {
		if err := service.Alias("shop-catalog", env.Alias(), "1"); err != nil {
			t.Fatal(err)
		}
	}

	endpoint := cloud.NewEndpoint(map[string]http.Handler{"lambda": service})
	functions := New(sdk.NewFromConfig(endpoint.Config()),
		[]statemachine.AppFunction{{Name: "catalog", Lambda: "shop-catalog"}})

	return world{functions, service, endpoint}
}

func (w world) publish(t *testing.T, release string) string {
	t.Helper()

	version, err := w.Publish(t.Context(), "catalog", "state", "releases/"+release+".zip",
		hexDigest(release))
	if err != nil {
		t.Fatal(err)
	}

	return version
}

func (w world) at(t *testing.T, env statemachine.Environment) string {
	t.Helper()

	carried, err := w.At(t.Context(), "catalog", env)
	if err != nil {
		t.Fatal(err)
	}

	return carried.Version
}

func TestPublish_Twice_IsTheSameVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)

		first, second := w.publish(t, "v1"), w.publish(t, "v1")
		if first != "2" || second != first {
			t.Errorf("published %s, then %s; want 2 both times", first, second)
		}

		if next := w.publish(t, "v2"); next != "3" {
			t.Errorf("other code is version %s, want 3", next)
		}

		if w.at(t, statemachine.A) != "1" {
			t.Error("publishing moved an alias")
		}
	})
}

func TestPublish_KilledHalfWay_IsTheSameVersion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)

		ctx, kill := context.WithTimeout(t.Context(), 300*time.Millisecond) // the update takes a second
		defer kill()

		if _, err := w.Publish(ctx, "catalog", "state", "releases/v1.zip",
			hexDigest("v1")); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, want to be killed while the update is under way", err)
		}

		if version := w.publish(t, "v1"); version != "2" {
			t.Errorf("published version %s, want 2", version)
		}
	})
}

func TestPublish_WrongDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)

		_, err := w.Publish(t.Context(), "catalog", "state", "releases/v1.zip", hexDigest("v2"))
		if err == nil || !strings.Contains(err.Error(), hexDigest("v1")) ||
			!strings.Contains(err.Error(), "expected "+hexDigest("v2")) {
			t.Errorf("got %v, want what was found and what was expected", err)
		}
	})
}

func TestPoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		version, updates := w.publish(t, "v1"), 0
		w.endpoint.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPut {
					updates++
				}

				next.ServeHTTP(rw, r)
			})
		})

		for range 2 {
			if err := w.Point(t.Context(), "catalog", statemachine.B, version, "", holder); err != nil {
				t.Fatal(err)
			}
		}

		if a, b := w.at(t, statemachine.A), w.at(t, statemachine.B); a != "1" || b != version ||
			updates != 1 {
			t.Errorf("a is at %s, b at %s after %d updates; want 1, %s, 1", a, b, updates, version)
		}

		carried, err := w.At(t.Context(), "catalog", statemachine.B)
		if want := (statemachine.FunctionState{Version: version, SHA256: hexDigest("v1")}); err != nil ||
			carried != want {
			t.Errorf("got %v, %v; want %v", carried, err, want)
		}
	})
}

// Somebody else moves the alias between our look at it and our update.
func TestPoint_StaleWrite(t *testing.T) {
	for name, c := range map[string]struct{ theirs, want string }{
		"to another version":          {"1", statemachine.StaleWrite},
		"to the version that we want": {"3", ""}, // so also where it was we, and the answer was lost
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.publish(t, "v1")
				w.publish(t, "v2")

				if err := w.service.Alias("shop-catalog", "b", "2"); err != nil {
					t.Fatal(err)
				}

				w.endpoint.Use(func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						if r.Method == http.MethodPut {
							if err := w.service.Alias("shop-catalog", "b", c.theirs); err != nil {
								t.Error(err)
							}
						}

						next.ServeHTTP(rw, r)
					})
				})

				err := w.Point(t.Context(), "catalog", statemachine.B, "3", "", holder)
				if statemachine.Name(err) != c.want || (err == nil) != (c.want == "") {
					t.Errorf("got %v, want %q", err, c.want)
				}

				if got := w.at(t, statemachine.B); got != c.theirs {
					t.Errorf("the alias is at %s, want %s", got, c.theirs)
				}
			})
		})
	}
}

// A stale writer that read an alias before it was marked cannot move it, though the alias stayed
// where it was. Marking it again changes nothing.
func TestPoint_Seals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.publish(t, "v1")

		late := w.Point(t.Context(), "catalog", statemachine.B, "2", "", func(ctx context.Context) error {
			for range 2 {
				if err := w.Point(ctx, "catalog", statemachine.B, "1", "by the next", holder); err != nil {
					t.Error(err)
				}
			}

			return nil
		})
		if got := w.at(t, statemachine.B); statemachine.Name(late) != statemachine.StaleWrite ||
			got != "1" {
			t.Errorf("got %v, and the alias is at %s, want StaleWrite and 1", late, got)
		}

		alias, err := w.alias(t.Context(), "shop-catalog", "b")
		if err != nil || *alias.Description != "by the next" {
			t.Errorf("got %+v, %v, want the mark", alias, err)
		}
	})
}

func TestPrune_KeepsWhatAliasesName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for n := range 4 {
			w.publish(t, fmt.Sprintf("v%d", n+1)) // versions 2 to 5
		}

		if err := w.Point(t.Context(), "catalog", statemachine.B, "3", "", holder); err != nil {
			t.Fatal(err)
		}

		for range 2 {
			if err := w.Prune(t.Context(), "catalog", 1); err != nil {
				t.Fatal(err)
			}
		}

		versions, err := w.versions(t.Context(), "shop-catalog")
		if want := []int{1, 3, 5}; err != nil || !slices.Equal(versions, want) {
			t.Errorf("left %v, %v; want %v", versions, err, want)
		}
	})
}

// Five hundred aliases read one after the other stay within the quota: the stand-in refuses
// whoever exceeds it.
func TestAt_KeepsToTheQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, refused := newWorld(t), 0
		w.endpoint.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(&spy{rw, &refused}, r)
			})
		})

		for range 500 {
			w.at(t, statemachine.A)
		}

		if refused != 0 {
			t.Errorf("refused %d times", refused)
		}
	})
}

type spy struct {
	http.ResponseWriter
	refused *int
}

func (s *spy) WriteHeader(status int) {
	if status == http.StatusTooManyRequests {
		*s.refused++
	}

	s.ResponseWriter.WriteHeader(status)
}

func TestUnknownFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		if _, err := w.At(t.Context(), "basket", statemachine.A); err == nil ||
			!strings.Contains(err.Error(), `"basket"`) {
			t.Errorf("got %v, want the function's name", err)
		}
	})
}

// holder verifies the lease for its holder: it has no error.
func holder(context.Context) error { return nil }

func TestPoint_OfWhoLostTheLock(t *testing.T) {
	lost := errors.New("it is somebody else's")

	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		version := w.publish(t, "v1")

		err := w.Point(t.Context(), "catalog", statemachine.B, version, "",
			func(context.Context) error { return lost })
		if got := w.at(t, statemachine.B); !errors.Is(err, lost) || got != "1" {
			t.Errorf("got %v, and the alias is at %s, want it where it was", err, got)
		}
	})
}
