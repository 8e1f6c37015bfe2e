-- +goose Up
alter table orders add column gift boolean not null default false;

-- +goose Down
alter table orders drop column gift;
