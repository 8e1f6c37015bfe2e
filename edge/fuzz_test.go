package edge_test

import (
	"regexp"
	"strings"
	"testing"

	"lockstep/infra/local/front"
)

var soundCookie = regexp.MustCompile(`(?s)\A[ab].{13,78}\z`)

// For any request and any value in the store, the answer is that of the rule, is valid, and takes
// at most one read.
func FuzzRouter(f *testing.F) {
	function, err := front.NewFunction(shipped(f))
	if err != nil {
		f.Fatal(err)
	}

	sound := `{"active":"b","fallback":"a","weight":5000,"release":"v2","preview":"` +
		hashed("let-me-see") + `"}`
	for _, seed := range [][10]string{
		{"GET", "/", "", "document", "text/html", "sec-purpose", "prefetch", "", sound, "b"},
		{"GET", "/assets/app.js", "a.carolcarol03", "script", "", "x-lockstep-env", "c", "", sound, "a"},
		{"HEAD", "/about", "b.carolcarol03.let-me-see", "empty", "*/*", "sec-fetch-mode", "navigate",
			"off", sound, "a"},
		{"GET", "//evil.example/%2e%2e/", "a.carolcarol03", "document", "", "if-none-match", "*",
			"let-me-see", `{"fallback":"b"}`, "c"},
		{"GET", "/\u2028", "a.𝒳𝒳𝒳𝒳𝒳𝒳", "constructor", "", "__proto__", "", "__proto__",
			`[{"weight":1e999}]`, ""},
		{"", "", "b", "", "", "", "", "", `{"active":"b","fallback":"a","weight":1e999,"release":"v2"}`,
			"a\r\n"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6], seed[7], seed[8], seed[9])
	}

	f.Fuzz(func(t *testing.T, method, uri, cookie, destination, accept, header, text, query, route,
		served string) {
		for _, text := range []*string{&method, &uri, &cookie, &destination, &accept, &header, &text,
			&query, &route, &served} {
			*text = strings.ToValidUTF8(*text, "?")
		}

		uri = "/" + strings.TrimPrefix(uri, "/")
		v := visit{Event: request(requestID, uri, map[string]string{}, &cookie), Route: &route,
			Served: &served}
		v.Event.Request.Method = method

		for name, value := range map[string]string{"sec-fetch-dest": destination, "accept": accept,
			header: text} {
			if value != "" && name != "" {
				v.Event.Request.Headers[name] = front.Value{Value: value}
			}
		}

		if query != "" {
			v.Event.Request.QueryString["lockstep-preview"] = front.Value{Value: query}
		}

		got, err := outcomeOf(function, v)
		if err != nil {
			t.Fatalf("%+v: %v", v, err)
		}

		if want := rule(v); got != want {
			t.Errorf("%+v, route %s:\n got %+v\nrule %+v", v.Event, route, got, want)
		}

		if !got.Redirect && got.Environment != "a" && got.Environment != "b" || got.Reads > 1 ||
			len(got.URI) > len(uri)+len("/index.html") {
			t.Errorf("%+v: not an answer: %+v", v.Event, got)
		}

		if got.Cookie != "" && !soundCookie.MatchString(got.Cookie) {
			t.Errorf("%+v: sets the cookie %q", v.Event, got.Cookie)
		}
	})
}
