-- +goose Up
drop trigger customers_sync_name on customers;
drop function customers_sync_name();
alter table customers drop column name;
