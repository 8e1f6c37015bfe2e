// Command orders is the shop's function for orders. In release v2 a customer has a first and a
// last name.
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
	Placed    time.Time `json:"placed" db:"placed"`
}

func recent(ctx context.Context, db api.DB, _ string) (any, error) {
	// Every row has both names: the backfill ends before the first viewer calls this release.
	list, err := api.Rows[order](ctx, db, `
		select o.id, p.name as product, c.first_name, c.last_name, o.placed
		from orders o join products p on p.id = o.product join customers c on c.id = o.customer
		order by o.id desc limit 8`)

	return map[string]any{"orders": list}, err
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
		insert into orders (product, customer)
		select $1, id from (table known union all table added) c returning id`,
		p.Product, p.FirstName, p.LastName).Scan(&id)

	return map[string]any{"id": id, "thanks": "Thank you, " + p.FirstName}, err
}
