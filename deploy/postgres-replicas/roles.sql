-- Run on the primary; the replicas copy it. Take other passwords.

create role replicator login replication password 'change-me-too';
create role app_reader login password 'change-me';

create database app;
\connect app
-- Reading, of all there is and all there will be. What a replica is asked about itself every
-- second (pg_is_in_recovery, pg_last_wal_replay_lsn and the like) needs no right.
grant usage on schema public to app_reader;
grant select on all tables in schema public to app_reader;
alter default privileges in schema public grant select on tables to app_reader;

create table orders (
  id bigint generated always as identity primary key,
  customer text not null,
  amount numeric(12, 2) not null,
  ordered_at timestamptz not null default now()
);
insert into orders (customer, amount)
select 'customer ' || n % 100, n::numeric / 10 from generate_series(1, 10000) as n;
