package config

import (
	"regexp"
	"strings"
)

// Domains are the application's own host names; nil where AWS's are used.
type Domains struct {
	Site *Domain `json:"site"`
	API  *Domain `json:"api"`
}

// Domain is a host name and its ACM certificate: for the site in us-east-1, for the API in the
// application's Region.
type Domain struct {
	Name        string `json:"name"`
	Certificate string `json:"certificate"` // ARN
}

var (
	domainPattern = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)
	certPattern   = regexp.MustCompile(`^arn:aws[a-z-]*:acm:([a-z0-9-]+):\d{12}:certificate/\S+$`)
)

func (c Config) checkDomains() error {
	for path, d := range map[string]*Domain{
		"domains.site": c.Domains.Site, "domains.api": c.Domains.API,
	} {
		if d == nil {
			continue
		}

		if !domainPattern.MatchString(d.Name) {
			return found(path+".name", d.Name, "a host name like \"shop.example.com\"")
		}

		region := certPattern.FindStringSubmatch(d.Certificate)
		if region == nil || d == c.Domains.Site && region[1] != "us-east-1" {
			return found(path+".certificate", d.Certificate,
				"the ARN of an ACM certificate, in us-east-1 for the site")
		}
	}

	return nil
}

// checkCookie refuses a cookie domain that the site's host is not part of: browsers would drop the
// cookie.
func (c Config) checkCookie() error {
	domain, site := c.Site.CookieDomain, c.Domains.Site
	if domain == "" {
		return nil
	}

	if site == nil || domain != site.Name && !strings.HasSuffix(site.Name, "."+domain) ||
		!domainPattern.MatchString(domain) {
		return found("site.cookieDomain", domain, "domains.site.name or a parent domain of it")
	}

	return nil
}
