package shop

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"lockstep/infra/local/cloud"
	"lockstep/infra/local/cloud/metrics"
	"lockstep/infra/local/cloud/secrets"
)

// process is a function as Lambda runs it: its own process, which fetches calls and sends answers.
type process struct {
	calls   chan []byte
	answers chan []byte
	metrics chan string // from its log
}

func (s *stage) call(release, function, method, body string) events.APIGatewayProxyResponse {
	s.t.Helper()

	bootstrap := filepath.Join(s.dirs[release], "functions", function, "bootstrap")
	if s.processes[bootstrap] == nil {
		s.processes[bootstrap] = start(s.t, bootstrap, s.secret)
	}

	p := s.processes[bootstrap]

	call, err := json.Marshal(events.APIGatewayProxyRequest{
		HTTPMethod:     method,
		Path:           "/" + function,
		Body:           body,
		RequestContext: events.APIGatewayProxyRequestContext{Stage: "api-b"},
	})
	if err != nil {
		s.t.Fatal(err)
	}

	var answer events.APIGatewayProxyResponse

	late := time.After(20 * time.Second)
	select {
	case p.calls <- call:
	case <-late:
		s.t.Fatalf("%s does not ask for a call", bootstrap)
	}

	select {
	case data := <-p.answers:
		if err := json.Unmarshal(data, &answer); err != nil {
			s.t.Fatal(err)
		}
	case <-late:
		s.t.Fatalf("%s does not answer", bootstrap)
	}

	return answer
}

func start(t *testing.T, bootstrap string, secret map[string]string) *process {
	t.Helper()

	p := &process{calls: make(chan []byte), answers: make(chan []byte),
		metrics: make(chan string, 100)}
	server := httptest.NewServer(p)
	command := exec.CommandContext(t.Context(), bootstrap)

	command.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(server.URL, "http://")}
	for name, value := range secret {
		command.Env = append(command.Env, name+"="+value)
	}

	command.Stdout = metrics.Embedded(io.Discard,
		func(namespace, metric string, dimensions map[string]string, value float64, unit string) {
			p.metrics <- fmt.Sprint(namespace, " ", metric, " ", dimensions, " ", value, " ", unit)
		})
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		_ = command.Wait() // the test's context has killed it

		server.CloseClientConnections()
		server.Close()
	})

	return p
}

// secretOf puts the connection into Secrets Manager and returns the environment variables by which
// a function finds it.
func secretOf(t *testing.T, databaseURL string) map[string]string {
	t.Helper()

	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}

	password, _ := u.User.Password()

	value, err := json.Marshal(map[string]any{
		"engine":   "postgres",
		"host":     u.Hostname(),
		"port":     json.Number(u.Port()),
		"dbname":   u.Path[1:],
		"username": u.User.Username(),
		"password": password,
		"sslmode":  u.Query().Get("sslmode"),
	})
	if err != nil {
		t.Fatal(err)
	}

	store := secrets.New()
	server := httptest.NewServer(cloud.NewEndpoint(map[string]http.Handler{"secretsmanager": store}))
	t.Cleanup(server.Close)

	return map[string]string{
		"DATABASE_SECRET":       store.Put("shop", string(value)),
		"AWS_ENDPOINT_URL":      server.URL,
		"AWS_REGION":            "us-east-1",
		"AWS_ACCESS_KEY_ID":     "local",
		"AWS_SECRET_ACCESS_KEY": "local",
	}
}

// ServeHTTP is the Lambda Runtime API.
func (p *process) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/invocation/next") {
		select {
		case call := <-p.calls:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", "4102444800000")
			_, _ = w.Write(call)
		case <-r.Context().Done():
		}

		return
	}

	answer, _ := io.ReadAll(r.Body)

	w.WriteHeader(http.StatusAccepted)

	p.answers <- answer
}
