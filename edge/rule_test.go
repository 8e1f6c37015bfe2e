package edge_test

import (
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"unicode/utf16"

	"lockstep/infra/local/front"
)

// bucket is a viewer's place in the ramp of a release, 0 to 9999.
func bucket(id, release string) int {
	sum := md5.Sum([]byte(id + "." + release))
	return int(binary.BigEndian.Uint32(sum[:4]) % 10000)
}

type route struct {
	Active   string  `json:"active"`
	Fallback string  `json:"fallback"`
	Weight   float64 `json:"weight"`
	Release  string  `json:"release"`
}

// visitor is the content of a cookie. The zero value is a viewer without a cookie.
type visitor struct{ page, id, secret string }

func readCookie(value string) visitor {
	units := utf16.Encode([]rune(value))
	text := func(from, to int) string { return string(utf16.Decode(units[from:to])) }

	switch n := len(units); {
	case n == 14:
	case n > 15 && n < 80 && units[14] == '.':
	default:
		return visitor{}
	}

	if units[0] != 'a' && units[0] != 'b' {
		return visitor{}
	}

	v := visitor{page: text(0, 1), id: text(2, 14)}
	if len(units) > 15 {
		v.secret = text(15, len(units))
	}

	return v
}

// rule is the specification of the router, written in another language and in another order.
func rule(v visit) outcome {
	request := v.Event.Request
	who := readCookie(request.Cookies["lockstep"].Value)
	r, fallback, preview := readRoute(v.Route)

	id := who.id
	if who.page == "" {
		id = v.Event.Context.RequestID[:12]
	}

	asset := slices.Contains(strings.Fields("audio font image manifest script style track video"),
		request.Headers["sec-fetch-dest"].Value)
	opens := opensPage(request)
	_, prefetch := request.Headers["sec-purpose"]
	document := opens && !(prefetch && request.Headers["sec-fetch-dest"].Value == "document")
	byWeight := document || request.Method == "HEAD" && !asset

	o := outcome{URI: request.URI}
	if byWeight || who.page == "" {
		o.Reads = 1
	}

	if secret, asked := request.QueryString["lockstep-preview"]; asked && document {
		kept := outcome{Reads: 1, Redirect: true, Attributes: attributes}

		kept.Cookie = cmp.Or(who.page, fallback) + "." + id
		if secret.Value == "off" && who.secret != "" {
			return kept
		}

		if secret.Value != "" && len(utf16.Encode([]rune(secret.Value))) < 65 &&
			hashed(secret.Value) == preview {
			kept.Cookie += "." + secret.Value
			return kept
		}
	}

	stands := 0
	if r != nil {
		stands = bucket(id, r.Release)
	}

	o.Environment = choose(r, fallback, who.page, stands, byWeight, who.secret != "" &&
		hashed(who.secret) == preview)
	if !asset {
		o.URI = object(request.URI)
	}

	o.Failover = asset || !byWeight && request.Headers["sec-fetch-dest"].Value != "document" &&
		!strings.HasSuffix(o.URI, ".html")
	o.Header = o.Environment
	_, conditional := request.Headers["if-none-match"]
	o.Validators = conditional && (!byWeight || o.Environment == who.page)

	served := o.Environment
	if v.Served != nil {
		served = *v.Served
	}

	switch {
	case served != "a" && served != "b" || served == who.page:
	case opens:
		o.Cookie, o.Attributes = served+"."+id, attributes
		if tail := readTail(request.Cookies["lockstep"].Value); who.page != "" {
			o.Cookie = served + tail
		}
	case who.page != "":
		o.Outdated = true
	}

	return o
}

// choose is the environment for a viewer in a bucket. page is the environment of the viewer's open
// page, if there is one.
func choose(r *route, fallback, page string, bucket int, byWeight, tester bool) string {
	switch {
	case page != "" && (!byWeight || r == nil):
		return page
	case byWeight && r != nil && (tester || float64(bucket) < r.Weight):
		return r.Active
	}

	return fallback
}

// readTail is the part of a cookie after its environment.
func readTail(cookie string) string {
	if cookie == "" {
		return ""
	}

	return cookie[1:]
}

func hashed(secret string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(secret))) }

// readRoute gives the route, nil where it makes no sense, the fallback as far as it is known, and
// the hash of the secret that opens the preview.
func readRoute(value *string) (r *route, fallback, preview string) {
	if value == nil {
		return nil, "a", ""
	}

	var fields map[string]any

	decoder := json.NewDecoder(strings.NewReader(*value))
	decoder.UseNumber() // a number of any size is JSON

	if decoder.Decode(&fields) != nil || decoder.More() {
		return nil, "a", ""
	}

	active, _ := fields["active"].(string)
	fallback, _ = fields["fallback"].(string)
	release, named := fields["release"].(string)
	number, weighed := fields["weight"].(json.Number)
	weight, _ := number.Float64()

	preview, _ = fields["preview"].(string)
	if fallback != "a" && fallback != "b" {
		return nil, "a", preview
	}

	if active != "a" && active != "b" || active == fallback || !named || !weighed || weight < 0 ||
		weight > 10000 {
		return nil, fallback, preview
	}

	return &route{active, fallback, weight, release}, fallback, preview
}

func opensPage(r front.Request) bool {
	if dest, ok := r.Headers["sec-fetch-dest"]; ok {
		_, prefetch := r.Headers["sec-purpose"]
		behindWorker := dest.Value == "empty" && r.Headers["sec-fetch-mode"].Value == "navigate" &&
			!prefetch

		return dest.Value == "document" || behindWorker
	}

	if accept, ok := r.Headers["accept"]; ok {
		return strings.Contains(accept.Value, "text/html")
	}

	_, name := path.Split(r.URI)

	return !strings.Contains(name, ".") || strings.HasSuffix(name, ".html")
}

func object(uri string) string {
	dir, name := path.Split(uri)
	switch {
	case strings.Contains(name, "."), strings.HasPrefix(uri, "/."):
		return uri
	case name == "":
		return dir + "index.html"
	}

	return uri + "/index.html"
}

// randomVisits mixes usual requests with malformed ones.
func randomVisits(n int) []visit {
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	word := func(alphabet string, length int) string {
		letters, from := make([]rune, length), []rune(alphabet)
		for i := range letters {
			letters[i] = from[random.IntN(len(from))]
		}

		return string(letters)
	}

	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

	const odd = safe + `+/=.,%"\ {}[]:é` + "\x00\u2028" // a semicolon or a line's end is in no cookie

	visits := make([]visit, n)
	for i := range visits {
		headers := map[string]string{}

		for name, values := range map[string][]string{
			"sec-fetch-dest": {"document", "document", "document", "iframe", "script", "style", "empty",
				"", "constructor"},
			"accept":            {"text/html,*/*", "*/*", "image/*", "application/json", ""},
			"sec-purpose":       {"prefetch"},
			"sec-fetch-mode":    {"navigate", "cors"},
			"x-lockstep-env":    {"a", "b", "c"},
			"if-none-match":     {`"1"`},
			"if-modified-since": {"Thu, 01 Jan 2026 00:00:00 GMT"},
		} {
			if common := name != "sec-purpose"; common && random.IntN(2) == 0 || !common &&
				random.IntN(8) == 0 {
				headers[name] = pick(values...)
			}
		}

		var cookie, served *string

		if random.IntN(4) > 0 {
			value := pick(pick("a", "b")+"."+word(safe, 12), pick("a", "b")+"."+word(safe, 12),
				word(odd, random.IntN(20)), "a."+word(odd, 12))
			cookie = &value
		}

		if random.IntN(8) == 0 {
			value := pick("", "a", "b", "c", word(odd, 5))
			served = &value
		}

		if random.IntN(10) == 0 { // a tester's, right or wrong
			value := pick("a", "b") + "." + word(safe, 12) + "." +
				pick("let-me-see", "let-me-see", "", word(odd, random.IntN(70)))
			cookie = &value
		}

		if cookie != nil {
			*cookie = strings.TrimSpace(*cookie)
		}

		uri := pick("/", "/about", "/about/", "/a.b/c", "/index.html", "/assets/app.1f3c.js",
			"/.well-known/x", "/.well-known/a.b/c", "/.x/", "/"+word(safe+"/.", 20))
		v := visit{Event: request(word(safe, 54)+"==", uri, headers, cookie), Served: served}

		v.Event.Request.Method = pick("GET", "GET", "GET", "HEAD")
		if random.IntN(10) == 0 {
			v.Event.Request.QueryString["lockstep-preview"] = front.Value{Value: pick("let-me-see", "off",
				"", word(safe, random.IntN(80)))}
		}

		if random.IntN(10) > 0 {
			active := pick("a", "b")

			value := fmt.Sprintf(`{"active":%q,"fallback":%q,"weight":%d,"release":%q,"preview":%q}`,
				active, map[string]string{"a": "b", "b": "a"}[active], random.IntN(10001), word(safe,
					3), hashed("let-me-see"))
			if random.IntN(6) == 0 {
				value = pick("", "null", "[]", "{}", "7", `"a"`, value[1:], strings.Replace(value, "a", "b", 1),
					strings.Replace(value, "weight", "wait", 1), strings.Replace(value, `"weight":`, `"weight":-`,
						1))
			}

			v.Route = &value
		}

		visits[i] = v
	}

	return visits
}
