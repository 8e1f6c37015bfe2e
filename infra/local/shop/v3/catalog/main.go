// Command catalog is the shop's function for products. Release v3 puts the favourites first.
package main

import (
	"context"

	"lockstep/infra/local/shop/api"
)

func main() { api.Serve(api.Routes{"GET": products}) }

type product struct {
	ID    int64  `json:"id" db:"id"`
	Slug  string `json:"slug" db:"slug"`
	Name  string `json:"name" db:"name"`
	About string `json:"about" db:"about"`
	Cents int64  `json:"cents" db:"cents"`
	Sold  int64  `json:"sold" db:"sold"`
}

func products(ctx context.Context, db api.DB, _ string) (any, error) {
	list, err := api.Rows[product](ctx, db, `
		select p.id, p.slug, p.name, p.about, p.cents,
		       (select count(*) from orders o where o.product = p.id) as sold
		from products p order by sold desc, p.id`)

	return map[string]any{"products": list}, err
}
