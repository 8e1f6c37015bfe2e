package events

import (
	"strings"
	"testing"
)

// The examples are those of the EventBridge user guide.
const instanceEvent = `{
  "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
  "detail-type": "EC2 Instance State-change Notification", "source": "aws.ec2",
  "account": "111122223333", "time": "2017-12-22T18:43:48Z", "region": "us-west-1",
  "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
  "detail": {
    "instance-id": "i-1234567890abcdef0", "state": "terminated", "c-count": 3, "d-count": 300, "x-limit": 301.8,
    "source-ip": "10.0.0.33", "fileName": "dir/photo.png", "nothing": null, "empty": "", "on": true,
    "tags": ["blue", "green"], "none": [],
    "metrics": [{"name": "cpu", "value": 5}, {"name": "disk", "value": 9}]
  }
}`

func TestPattern_Matches(t *testing.T) {
	object, err := decode([]byte(instanceEvent))
	if err != nil {
		t.Fatal(err)
	}

	for _, c := range []struct {
		name, pattern string
		want          bool
	}{
		{"three requirements", `{"source":["aws.ec2"],"detail-type":["EC2 Instance State-change Notification"],"detail":{"state":["terminated"]}}`, true},
		{"one requirement fails", `{"source":["aws.ec2"],"detail":{"state":["running"]}}`, false},
		{"one of several values", `{"detail":{"state":["shutting-down","terminated"]}}`, true},
		{"an element of an array", `{"resources":["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"]}`, true},
		{"no element of an array", `{"detail":{"tags":["red"]}}`, false},
		{"prefix", `{"time":[{"prefix":"2017-12-22"}]}`, true},
		{"prefix of another", `{"region":[{"prefix":"eu-"}]}`, false},
		{"prefix, any case", `{"source":[{"prefix":{"equals-ignore-case":"AWS."}}]}`, true},
		{"suffix", `{"detail":{"fileName":[{"suffix":".png"}]}}`, true},
		{"suffix, any case", `{"detail":{"fileName":[{"suffix":{"equals-ignore-case":".PNG"}}]}}`, true},
		{"equals, any case", `{"detail":{"state":[{"equals-ignore-case":"TERMINATED"}]}}`, true},
		{"wildcard", `{"detail":{"fileName":[{"wildcard":"dir/*.png"}]}}`, true},
		{"wildcard in the middle of nothing", `{"detail":{"fileName":[{"wildcard":"dir/*o*o*o.png"}]}}`,
			false},
		{"wildcard with a literal star", `{"detail":{"fileName":[{"wildcard":"dir/\\*.png"}]}}`, false},
		{"anything but", `{"detail":{"state":[{"anything-but":"initializing"}]}}`, true},
		{"anything but that", `{"detail":{"state":[{"anything-but":"terminated"}]}}`, false},
		{"anything but a list", `{"detail":{"state":[{"anything-but":["stopped","terminated"]}]}}`,
			false},
		{"anything but numbers", `{"detail":{"x-limit":[{"anything-but":[100,200,300]}]}}`, true},
		{"anything but a prefix", `{"detail":{"state":[{"anything-but":{"prefix":"init"}}]}}`, true},
		{"anything but its prefix", `{"detail":{"state":[{"anything-but":{"prefix":"term"}}]}}`, false},
		{"anything but prefixes", `{"detail":{"state":[{"anything-but":{"prefix":["init","term"]}}]}}`,
			false},
		{"anything but a suffix", `{"detail":{"fileName":[{"anything-but":{"suffix":[".txt",".rtf"]}}]}}`,
			true},
		{"anything but, any case", `{"detail":{"state":[{"anything-but":{"equals-ignore-case":["Terminated"]}}]}}`, false},
		{"anything but a wildcard", `{"detail":{"fileName":[{"anything-but":{"wildcard":"*/lib/*"}}]}}`,
			true},
		{"anything but, of a missing field", `{"detail":{"absent":[{"anything-but":"x"}]}}`, false},
		{"anything but, of an array", `{"detail":{"tags":[{"anything-but":"blue"}]}}`, true},
		{"numeric range", `{"detail":{"c-count":[{"numeric":[">",0,"<=",5]}],"d-count":[{"numeric":["<",310]}],"x-limit":[{"numeric":["=",3.018e2]}]}}`, true},
		{"numeric out of range", `{"detail":{"c-count":[{"numeric":[">",3]}]}}`, false},
		{"numbers are compared as they are written", `{"detail":{"d-count":[300.0]}}`, false},
		{"number", `{"detail":{"d-count":[300]}}`, true},
		{"cidr", `{"detail":{"source-ip":[{"cidr":"10.0.0.0/24"}]}}`, true},
		{"cidr of another", `{"detail":{"source-ip":[{"cidr":"10.0.1.0/24"}]}}`, false},
		{"exists", `{"detail":{"state":[{"exists":true}]}}`, true},
		{"does not exist", `{"detail":{"c-count-2":[{"exists":false}]}}`, true},
		{"exists, though it must not", `{"detail":{"state":[{"exists":false}]}}`, false},
		{"exists looks at leaves only", `{"detail":[{"exists":true}]}`, false},
		{"does not exist below what does not exist", `{"detail":{"a":{"b":[{"exists":false}]}}}`, true},
		{"an empty array has no leaf", `{"detail":{"none":[{"exists":true}]}}`, false},
		{"null", `{"detail":{"nothing":[null]}}`, true},
		{"null exists", `{"detail":{"nothing":[{"exists":true}]}}`, true},
		{"absent is not null", `{"detail":{"absent":[null]}}`, false},
		{"empty string", `{"detail":{"empty":[""]}}`, true},
		{"boolean", `{"detail":{"on":[true]}}`, true},
		{"objects in an array", `{"detail":{"metrics":{"name":["disk"],"value":[9]}}}`, true},
		{"fields of different objects in an array", `{"detail":{"metrics":{"name":["cpu"],"value":[9]}}}`,
			false},
		{"or, second", `{"detail":{"$or":[{"c-count":[{"numeric":[">",5]}]},{"d-count":[{"numeric":["<",310]}]}]}}`, true},
		{"or, none", `{"detail":{"$or":[{"c-count":[7]},{"d-count":[7]}]}}`, false},
		{"or across the top level", `{"source":["aws.ec2"],"$or":[{"detail":{"state":["running"]}},{"region":["us-west-1"]}]}`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := compile(c.pattern)
			if err != nil {
				t.Fatal(err)
			}

			if got := p(object.(map[string]any)); got != c.want {
				t.Errorf("matches = %v, want %v", got, c.want)
			}
		})
	}
}

func TestPattern_Refused(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{`{"source":`, "invalid JSON"},
		{`["source"]`, "not an object"},
		{`{}`, "empty objects"},
		{`{"detail":{"lenderId":"LenderA"}}`, `"detail.lenderId" must be an object or an array`},
		{`{"source":[]}`, `"source": empty arrays`},
		{`{"source":[["a"]]}`, "match value must be"},
		{`{"detail":{"a":[{"begins":"x"}]}}`, `"detail.a": unrecognized match type begins`},
		{`{"a":[{"prefix":"x","suffix":"y"}]}`, "only one key"},
		{`{"a":[{"prefix":3}]}`, "must be a string"},
		{`{"a":[{"exists":"yes"}]}`, "either true or false"},
		{`{"a":[{"numeric":["<",1,">",2]}]}`, "lower bound"},
		{`{"a":[{"numeric":[">",5,"<",2]}]}`, "bottom must be less than top"},
		{`{"a":[{"numeric":["=",5,"<",7]}]}`, "= must be the only operator"},
		{`{"a":[{"numeric":["~",5]}]}`, "unrecognized numeric range operator: ~"},
		{`{"a":[{"numeric":[">",6000000000]}]}`, "between"},
		{`{"a":[{"wildcard":"a**b"}]}`, "consecutive wildcard characters at pos 1"},
		{`{"a":[{"wildcard":"a\\b"}]}`, "invalid escape character at pos 1"},
		{`{"a":[{"anything-but":{"cidr":"10.0.0.0/8"}}]}`, "unsupported anything-but pattern"},
		{`{"a":[{"anything-but":{"prefix":""}}]}`, "null prefix"},
		{`{"a":[{"anything-but":[true]}]}`, "strings or numbers"},
		{`{"a":[{"cidr":"10.0.0.0"}]}`, "malformed CIDR"},
		{`{"$or":[{"a":["b"]}]}`, "at least two"},
		{`{"a":["` + strings.Repeat("x", maxPattern) + `"]}`, "at most 4096"},
	} {
		if _, err := compile(c.pattern); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: error %v, want one with %q", c.pattern, err, c.want)
		}
	}
}
