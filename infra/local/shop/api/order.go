package api

import (
	"encoding/json"
	"strings"
)

// Purchase is the body of POST /orders in the form of any release. A page that is open while its
// release is rolled back sends its form to a function of another release.
type Purchase struct {
	Product   int64  `json:"product"`
	Name      string `json:"name"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	Gift      bool   `json:"gift"`
}

// ReadPurchase parses the body of POST /orders and fills in both forms of the name. A customer
// without a name is a guest. A bad body is a Refusal.
func ReadPurchase(body string) (Purchase, error) {
	var p Purchase
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		return p, Refuse("order: not JSON: %v", err)
	}

	if p.Product < 1 {
		return p, Refuse("order: product: found %d, expected the id of a product", p.Product)
	}

	if p.Name == "" {
		p.Name = strings.TrimSpace(p.FirstName + " " + p.LastName)
	}

	if p.Name == "" {
		p.Name = "Guest"
	}

	if p.FirstName == "" {
		p.FirstName, p.LastName, _ = strings.Cut(p.Name, " ")
	}

	return p, nil
}
