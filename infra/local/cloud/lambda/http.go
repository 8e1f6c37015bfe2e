package lambda

import (
	"encoding/json"
	"net/http"
	"strconv"

	"golang.org/x/time/rate"

	"lockstep/infra/local/cloud/wire"
)

// operation serves a call of the control plane.
type operation func(r *http.Request) (any, error)

// ServeHTTP serves the REST-JSON protocol of Lambda.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Service) routes() *http.ServeMux {
	mux := http.NewServeMux()
	shared := rate.NewLimiter(s.options.ControlPlane, burst(s.options.ControlPlane))
	own := rate.NewLimiter(s.options.GetFunction, burst(s.options.GetFunction))
	handle := func(quota *rate.Limiter, pattern string, status int, answer operation) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if !quota.Allow() {
				wire.Answer(w, r, nil, tooMany())
				return
			}

			result, err := answer(r)
			if err != nil {
				wire.Answer(w, r, nil, err)
				return
			}

			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)

			if status != http.StatusNoContent {
				_ = json.NewEncoder(w).Encode(result)
			}
		})
	}

	const all, one = "/2015-03-31/functions/", "/2015-03-31/functions/{name}"
	handle(own, "GET "+one, http.StatusOK, s.withFunction(s.getFunction))
	handle(shared, "GET "+one+"/configuration", http.StatusOK, s.withFunction(s.getConfiguration))
	handle(shared, "DELETE "+one, http.StatusNoContent, s.withFunction(s.deleteFunction))
	handle(shared, "PUT "+one+"/code", http.StatusOK, s.updateFunctionCode)
	handle(shared, "GET "+one+"/versions", http.StatusOK, s.withFunction(s.listVersions))
	handle(shared, "POST "+one+"/versions", http.StatusCreated, s.withFunction(s.publishVersion))
	handle(shared, "GET "+one+"/aliases", http.StatusOK, s.withFunction(s.listAliases))
	handle(shared, "POST "+one+"/aliases", http.StatusCreated, s.withFunction(s.createAlias))
	handle(shared, "GET "+one+"/aliases/{alias}", http.StatusOK, s.withFunction(s.getAlias))
	handle(shared, "PUT "+one+"/aliases/{alias}", http.StatusOK, s.withFunction(s.updateAlias))
	handle(shared, "POST "+one+"/policy", http.StatusCreated, s.withFunction(s.addPermission))
	handle(shared, "GET /2015-03-31/functions", http.StatusOK, s.listFunctions)
	handle(shared, "GET "+all+"{$}", http.StatusOK, s.listFunctions) // older clients use it
	mux.HandleFunc("POST "+one+"/invocations", s.serveInvoke)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		wire.Answer(w, r, nil, refuse(http.StatusNotFound, "UnknownOperationException",
			"this stand-in for Lambda does not implement %s %s", r.Method, r.URL.Path))
	})

	return mux
}

// burst allows the requests of a second at once.
func burst(limit rate.Limit) int { return max(1, int(min(limit, 1e6))) }

// withFunction runs an operation on the function that the path names, while it holds the lock.
func (s *Service) withFunction(do func(*http.Request, *function, name) (any, error)) operation {
	return func(r *http.Request) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()

		f, n, err := s.find(r.PathValue("name"), r.URL.Query().Get("Qualifier"))
		if err != nil {
			return nil, err
		}

		return do(r, f, n)
	}
}

// paginate returns the page for Marker and MaxItems. A marker is the index at which a page begins.
func paginate[T any](r *http.Request, list []T) (page []T, next string, err error) {
	query := r.URL.Query()

	start, size := 0, 50
	if marker := query.Get("Marker"); marker != "" {
		if start, err = strconv.Atoi(marker); err != nil || start < 0 {
			return nil, "", invalid(
				"Marker: found %q, expected the NextMarker of an earlier answer", marker)
		}
	}

	if items := query.Get("MaxItems"); items != "" {
		if size, err = strconv.Atoi(items); err != nil || size < 1 || size > 10000 {
			return nil, "", invalid("MaxItems: found %q, expected 1 to 10000", items)
		}

		size = min(size, 50)
	}

	start = min(start, len(list))

	end := min(start+size, len(list))
	if end < len(list) {
		next = strconv.Itoa(end)
	}

	return list[start:end], next, nil
}
