-- What the README speaks of.
create table orders (id bigint primary key, total numeric(12,2) not null, payment_token text);
insert into orders select n, n * 9.5, 'HUSH' from generate_series(1, 2) n;
