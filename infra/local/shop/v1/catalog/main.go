// Command catalog is the shop's function for products. Release v1 lists them.
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
}

func products(ctx context.Context, db api.DB, _ string) (any, error) {
	list, err := api.Rows[product](ctx, db,
		`select id, slug, name, about, cents from products order by id`)

	return map[string]any{"products": list}, err
}
