// Command orders is the shop's function for orders. In release v3 an order can be a gift, and the
// first customers are thanked by their short names. It has a bug that only real customers trigger.
package main

import (
	"context"
	"time"

	"lockstep/infra/local/shop/api"
)

func main() { api.Serve(api.Routes{"GET": recent, "POST": api.Counted("Orders", place)}) }

type order struct {
	ID        int64     `json:"id" db:"id"`
	Product   string    `json:"product" db:"product"`
	FirstName string    `json:"firstName" db:"first_name"`
	LastName  string    `json:"lastName" db:"last_name"`
	Gift      bool      `json:"gift" db:"gift"`
	Placed    time.Time `json:"placed" db:"placed"`
}

type customer struct {
	FirstName string `db:"first_name"`
	LastName  string `db:"last_name"`
}

// shortName is the bug: it panics for Hypatia and Sappho, who have no last name. v3's tests had no
// such customer.
func (c customer) shortName() string { return c.FirstName + " " + c.LastName[:1] + "." }

func recent(ctx context.Context, db api.DB, _ string) (any, error) {
	list, err := api.Rows[order](ctx, db, `
		select o.id, p.name as product, c.first_name, c.last_name, o.gift, o.placed
		from orders o join products p on p.id = o.product join customers c on c.id = o.customer
		order by o.id desc limit 8`)
	if err != nil {
		return nil, err
	}

	first, err := api.Rows[customer](ctx, db, `
		select first_name, last_name from (select * from customers order by id limit 8) c
		order by random() limit 3`)

	thanks := make([]string, 0, len(first))
	for _, c := range first {
		thanks = append(thanks, c.shortName())
	}

	return map[string]any{"orders": list, "thanks": thanks}, err
}

func place(ctx context.Context, db api.DB, body string) (any, error) {
	p, err := api.ReadPurchase(body)
	if err != nil {
		return nil, err
	}

	var id int64

	err = db.QueryRow(ctx, `
		with known as (select id from customers where first_name = $2 and last_name = $3 limit 1),
		     added as (insert into customers (first_name, last_name)
		               select $2, $3 where not exists (select from known) returning id)
		insert into orders (product, customer, gift)
		select $1, id, $4 from (table known union all table added) c returning id`,
		p.Product, p.FirstName, p.LastName, p.Gift).Scan(&id)

	return map[string]any{"id": id, "thanks": "Thank you, " + p.FirstName}, err
}
