-- +goose Up
create table products (
  id    bigint generated always as identity primary key,
  slug  text not null unique,
  name  text not null,
  about text not null,
  cents bigint not null
);
create table customers (
  id   bigint generated always as identity primary key,
  name text not null
);
create table orders (
  id       bigint generated always as identity primary key,
  product  bigint not null references products,
  customer bigint not null references customers,
  placed   timestamptz not null default now()
);
create index orders_product on orders (product);
create index customers_name on customers (name);

insert into products (slug, name, about, cents) values
  ('kettle',  'Gooseneck kettle', 'Pours where you look.',            6400),
  ('dripper', 'Paper dripper',    'A cone, three ridges, no secrets.', 2200),
  ('grinder', 'Hand grinder',     'Forty turns to a good morning.',    8900),
  ('cup',     'Everyday cup',     'Thick lip, warm hands.',            1600),
  ('beans',   'House beans',      'Roasted on Tuesdays.',              1450),
  ('scale',   'Quiet scale',      'Counts grams, keeps time.',         4800);
insert into customers (name) values
  ('Ada Lovelace'), ('Alan Turing'), ('Hypatia'), ('Grace Hopper'),
  ('Emmy Noether'), ('Katherine Johnson'), ('Sappho'), ('Niels Bohr');
insert into orders (product, customer, placed)
  select 1 + n * 5 % 6, 1 + n * 3 % 8, now() - (40 - n) * interval '7 minutes'
  from generate_series(0, 39) n;

-- +goose Down
drop table orders;
drop table customers;
drop table products;
