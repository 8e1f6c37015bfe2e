package config

import (
	"fmt"
	"strings"
)

// In finds what the configuration names by ARN and AWS would not find, or not take, from where the
// application is. A queue and a stream may be another account's, which then lets the function's
// role read it.
func (c Config) In(account, region string) error {
	type named struct{ path, arn, region, account string }

	var all []named

	add := func(path, arn, region, account string) {
		all = append(all,
			named{path, arn, region, account})
	}
	if d := c.Domains.Site; d != nil {
		add("domains.site.certificate", d.Certificate, "us-east-1", account)
	}

	if d := c.Domains.API; d != nil {
		add("domains.api.certificate", d.Certificate, region, account)
	}

	for i, f := range c.Functions {
		add(fmt.Sprintf("functions[%d].existing", i), f.Existing, region, account)

		for j, s := range f.Events {
			at := fmt.Sprintf("functions[%d].events[%d].", i, j)
			add(at+"queue", s.Queue, region, "")
			add(at+"stream", s.Stream, region, "")
			add(at+"topic", s.Topic, region, "")
		}
	}

	if c.Database != nil {
		add("database.secret", c.Database.Secret, region, account)
	}

	if c.Probe != nil {
		add("probe.function", c.Probe.Function, region, account)
	}

	if c.GitHub != nil {
		add("github.provider", c.GitHub.Provider, "", account) // IAM has no Regions
	}

	for _, n := range all {
		part := strings.Split(n.arn, ":")
		if len(part) < 6 { // not given, or a name
			continue
		}

		expected := "one"
		if n.region != "" {
			expected += " in " + n.region
		}

		if n.account != "" {
			expected += " of the account " + n.account
		}

		if part[3] != n.region || n.account != "" && part[4] != n.account {
			return found("lockstep."+n.path, n.arn, "%s, for an application in %s of %s", expected, region,
				account)
		}
	}

	return nil
}
