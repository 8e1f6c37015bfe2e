package config

import (
	"fmt"
	"strings"
)

// reference is a resource that the configuration names by ARN, and where it must be.
type reference struct {
	path string
	arn  string // empty, or a plain name, where no ARN is given
	// region is empty for services without Regions, account where any account will do.
	region, account string
}

// In checks that AWS can find what the configuration names by ARN from an application in this
// account and Region. The error names the path, the ARN and where the resource is expected.
func (c Config) In(account, region string) error {
	for _, r := range c.references(account, region) {
		part := strings.Split(r.arn, ":")
		if len(part) < 6 {
			continue
		}

		if part[3] == r.region && (r.account == "" || part[4] == r.account) {
			continue
		}

		expected := "one"
		if r.region != "" {
			expected += " in " + r.region
		}

		if r.account != "" {
			expected += " of the account " + r.account
		}

		return found("lockstep."+r.path, r.arn, "%s, for an application in %s of %s", expected, region,
			account)
	}

	return nil
}

// references lists what an application in this account and Region names by ARN. Queues, streams
// and topics may belong to another account, which then grants the function's role access.
func (c Config) references(account, region string) []reference {
	var list []reference

	add := func(path, arn, region, account string) {
		list = append(list, reference{path, arn, region, account})
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

	return list
}
