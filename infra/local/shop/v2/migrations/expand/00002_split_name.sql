-- Old and new functions write side by side until contract. Whichever form of the name a client
-- writes, the trigger fills in the other.

-- +goose Up
alter table customers add column first_name text, add column last_name text;

-- +goose StatementBegin
create function customers_sync_name() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' and new.name is null
     or tg_op = 'UPDATE' and new.name is not distinct from old.name
        and (new.first_name, new.last_name) is distinct from (old.first_name, old.last_name) then
    new.name := trim(concat_ws(' ', new.first_name, new.last_name));
  elsif new.first_name is null or tg_op = 'UPDATE' and new.name is distinct from old.name then
    new.first_name := split_part(new.name, ' ', 1);
    new.last_name := ltrim(substr(new.name, length(new.first_name) + 1));
  end if;
  return new;
end $$;
-- +goose StatementEnd

create trigger customers_sync_name before insert or update on customers
  for each row execute function customers_sync_name();

-- +goose Down
drop trigger customers_sync_name on customers;
drop function customers_sync_name();
alter table customers drop column first_name, drop column last_name;
