package edge_test

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path"
	"regexp"
	"strings"

	"lockstep/infra/local/front"
)

// bucket is 0 to 9999: where a viewer stands in the queue of a release.
func bucket(id, release string) int {
	sum := md5.Sum([]byte(id + "." + release))
	return int(binary.BigEndian.Uint32(sum[:4]) % 10000)
}

type route struct {
	Active, Fallback, Release string
	Weight                    float64
}

var viewerCookie = regexp.MustCompile(`(?s)\A([ab])\.(.{12})\z`)

// rule says what the router does, in another language and in another order.
func rule(v visit) outcome {
	id, page := v.Event.Context.RequestID[:12], ""
	if m := viewerCookie.FindStringSubmatch(v.Event.Request.Cookies["lockstep"].Value); m != nil {
		page, id = m[1], m[2]
	}
	r, fallback := readRoute(v.Route)
	document := opensPage(v.Event.Request)

	o := outcome{URI: object(v.Event.Request.URI)}
	if document || page == "" {
		o.Reads = 1
	}
	switch {
	case !document && page != "":
		o.Environment = page
	case r == nil && page != "":
		o.Environment = page
	case document && r != nil && float64(bucket(id, r.Release)) < r.Weight:
		o.Environment = r.Active
	default:
		o.Environment = fallback
	}
	o.Header = o.Environment
	_, conditional := v.Event.Request.Headers["if-none-match"]
	o.Validators = conditional && (!document || o.Environment == page)

	served := o.Environment
	if v.Served != nil {
		served = *v.Served
	}
	if document && (served == "a" || served == "b") && served != page {
		o.Cookie, o.Attributes = served+"."+id, attributes
	}
	return o
}

// readRoute gives the route, nil where it makes no sense, and the fallback as far as it is known.
func readRoute(value *string) (*route, string) {
	if value == nil {
		return nil, "a"
	}
	var fields map[string]any
	if json.Unmarshal([]byte(*value), &fields) != nil {
		return nil, "a"
	}
	active, _ := fields["active"].(string)
	fallback, _ := fields["fallback"].(string)
	release, named := fields["release"].(string)
	weight, weighed := fields["weight"].(float64)
	if fallback != "a" && fallback != "b" {
		return nil, "a"
	}
	if active != "a" && active != "b" || active == fallback || !named || !weighed || weight < 0 || weight > 10000 {
		return nil, fallback
	}
	return &route{active, fallback, release, weight}, fallback
}

func opensPage(r front.Request) bool {
	if dest, ok := r.Headers["sec-fetch-dest"]; ok {
		_, prefetch := r.Headers["sec-purpose"]
		return dest.Value == "document" && !prefetch
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
	case name == "":
		return dir + "index.html"
	case strings.Contains(name, "."), strings.HasPrefix(uri, "/.well-known/"):
		return uri
	}
	return uri + "/index.html"
}

// randomVisits mixes what viewers send with what nobody should.
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
	const odd = safe + `+/=.;,%"\ {}[]:é` + "\x00\n\u2028"

	visits := make([]visit, n)
	for i := range visits {
		headers := map[string]string{}
		for name, values := range map[string][]string{
			"sec-fetch-dest":    {"document", "document", "document", "iframe", "script", "empty", ""},
			"accept":            {"text/html,*/*", "*/*", "image/*", "application/json", ""},
			"sec-purpose":       {"prefetch"},
			"x-lockstep-env":    {"a", "b", "c"},
			"if-none-match":     {`"1"`},
			"if-modified-since": {"Thu, 01 Jan 2026 00:00:00 GMT"},
		} {
			if common := name != "sec-purpose"; common && random.IntN(2) == 0 || !common && random.IntN(8) == 0 {
				headers[name] = pick(values...)
			}
		}
		var cookie, served *string
		if random.IntN(4) > 0 {
			value := pick(pick("a", "b")+"."+word(safe, 12), pick("a", "b")+"."+word(safe, 12), word(odd, random.IntN(20)), "a."+word(odd, 12))
			cookie = &value
		}
		if random.IntN(8) == 0 {
			value := pick("", "a", "b", "c", word(odd, 5))
			served = &value
		}
		uri := pick("/", "/about", "/about/", "/a.b/c", "/index.html", "/assets/app.1f3c.js", "/.well-known/x", "/"+word(safe+"/.", 20))
		v := visit{Event: request(word(safe, 54)+"==", uri, headers, cookie), Served: served}
		if random.IntN(10) > 0 {
			active := pick("a", "b")
			value := fmt.Sprintf(`{"active":%q,"fallback":%q,"weight":%d,"release":%q}`,
				active, map[string]string{"a": "b", "b": "a"}[active], random.IntN(10001), word(safe, 3))
			if random.IntN(6) == 0 {
				value = pick("", "null", "[]", "{}", "7", `"a"`, value[1:], strings.Replace(value, "a", "b", 1),
					strings.Replace(value, "weight", "wait", 1), strings.Replace(value, `"weight":`, `"weight":-`, 1))
			}
			v.Route = &value
		}
		visits[i] = v
	}
	return visits
}
