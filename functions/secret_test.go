package functions_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"lockstep/infra/local/stack"
	sm "lockstep/statemachine"
)

// told is all that anybody can read who may not read the secret: the state bucket, every event,
// the histories of the executions, the roles and the route. A secret's place by its name.
func (w *world) told() map[string]string {
	w.t.Helper()

	all := map[string]string{}
	roles, _ := w.stack.Cloud.SSM.Get("/lockstep/shop/environments")
	route, _ := json.Marshal(w.route())
	all["the roles"], all["the route"] = roles, string(route)

	w.lock.Lock()
	all["the events"] = fmt.Sprintf("%+v", w.announced)
	w.lock.Unlock()

	list, err := s3.NewFromConfig(w.config).ListObjectsV2(w.t.Context(),
		&s3.ListObjectsV2Input{Bucket: &w.stack.Settings.StateBucket})
	if err != nil {
		w.t.Fatal(err)
	}

	for _, object := range list.Contents {
		content, _ := w.stack.Cloud.S3.Get(w.stack.Settings.StateBucket, *object.Key)
		all[*object.Key] = string(content.Body)
	}

	machine := sfn.NewFromConfig(w.config)
	for _, e := range w.stack.Cloud.States.Executions() {
		history, err := machine.GetExecutionHistory(w.t.Context(),
			&sfn.GetExecutionHistoryInput{ExecutionArn: &e.ARN})
		if err != nil {
			w.t.Fatal(err)
		}

		for _, event := range history.Events {
			data, _ := json.Marshal(event)
			all[e.ARN] += string(data)
		}

		all[e.ARN] += e.Cause
	}

	return all
}

// The database's password is in its secret only, also where the connection fails and the error
// says why.
func TestSecrets_OfTheDatabase(t *testing.T) {
	const marker = "s3cr3t-m4rker"

	story(t, func(w *world) {
		w.quietlyLive()

		second := everything
		second.migrations = makesCustomers
		w.merge(w.release("v2", 2, second))
		w.ends("v2", sm.RolledBack)

		if cause := w.record("v2").Cause.Text; !strings.Contains(cause, "connect to") {
			t.Errorf("v2 was rolled back: %s; expected that the database is not to be reached", cause)
		}

		for place, text := range w.told() {
			if strings.Contains(text, marker) {
				t.Errorf("%s has the password: %s", place, text)
			}
		}
	}, func(o *stack.Options) {
		o.Secret = `{"host":"127.0.0.1","port":"1","dbname":"shop","username":"shop","password":"` +
			marker + `","sslmode":"disable"}`
	})
}

// The secret of a preview is in the record that the operator's command reads, as long as the
// preview is open, and nowhere else: the route has its hash.
func TestSecrets_OfThePreview(t *testing.T) {
	story(t, func(w *world) {
		w.quietlyLive()
		w.second()
		w.bakes("v2", 2500)

		secret := w.record("v2").Preview
		if len(secret) < 20 {
			t.Fatalf("the preview's secret is %q", secret)
		}

		for place, text := range w.told() {
			if strings.Contains(text, secret) && place != "ledger/releases/v2.json" {
				t.Errorf("%s has the secret", place)
			}
		}

		w.ends("v2", sm.Released)

		for place, text := range w.told() {
			if strings.Contains(text, secret) {
				t.Errorf("%s still has the secret", place)
			}
		}
	})
}
