-- After Pagila, the DVD rental shop: an enum, a domain, arrays, tsvector, a partitioned table,
-- views. Each secret holds HUSH.
create type mpaa_rating as enum ('G', 'PG', 'PG-13', 'R', 'NC-17');
create domain year as integer constraint year_check check (value >= 1901 and value <= 2155);
create table language (
  language_id serial primary key, name char(20) not null,
  last_update timestamptz not null default '2026-01-01Z'
);
create table actor (
  actor_id serial primary key, first_name text not null, last_name text not null,
  last_update timestamptz not null default '2026-01-01Z'
);
create index idx_actor_last_name on actor (last_name);
create table film (
  film_id serial primary key, title text not null, description text, release_year year,
  language_id int not null references language, original_language_id int references language,
  rental_duration smallint not null default 3, rental_rate numeric(4,2) not null default 4.99,
  length smallint, replacement_cost numeric(5,2) not null default 19.99,
  rating mpaa_rating default 'G', last_update timestamptz not null default '2026-01-01Z',
  special_features text[], fulltext tsvector not null
);
create index film_fulltext_idx on film using gist (fulltext);
create index idx_title on film (title);
create table film_actor (
  actor_id int not null references actor, film_id int not null references film,
  last_update timestamptz not null default '2026-01-01Z', primary key (actor_id, film_id)
);
create index idx_fk_film_id on film_actor (film_id);
create table customer (
  customer_id serial primary key, first_name text not null, last_name text not null, email text,
  activebool boolean not null default true, create_date date not null default '2026-01-01',
  active int
);
create table staff (
  staff_id serial primary key, first_name text not null, username text not null, password text,
  picture bytea
);
comment on table staff is 'who works there';
comment on column staff.picture is E'a portrait\nof some pixels';
create table payment (
  payment_id serial, customer_id int not null references customer,
  staff_id int not null references staff, amount numeric(5,2) not null,
  payment_date timestamptz not null, primary key (payment_date, payment_id)
) partition by range (payment_date);
create table payment_p2026_01 partition of payment
  for values from ('2026-01-01Z') to ('2026-02-01Z');
create table payment_p2026_02 partition of payment
  for values from ('2026-02-01Z') to ('2026-03-01Z');
create view customer_list as
  select customer_id as id, first_name || ' ' || last_name as name, email from customer;
create view film_list as select f.film_id as fid, f.title, f.rating from film f;
create materialized view sales_by_rating as
  select rating, count(*) as films, sum(rental_rate) as rate from film group by rating;
create unique index sales_by_rating_rating on sales_by_rating (rating);
insert into language (name) values ('English'), ('Deutsch');
insert into actor (first_name, last_name)
  select 'First ' || n, 'Last ' || n % 7 from generate_series(1, 40) n;
insert into film (title, description, release_year, language_id, rating, special_features, fulltext)
  select 'Film ' || n, 'An epic tale', 1990 + n % 30, 1 + n % 2,
    (enum_range(null::mpaa_rating))[1 + n % 5], array['Trailers', 'Deleted "Scenes"'],
    to_tsvector('english', 'Film ' || n || ' an epic tale')
  from generate_series(1, 150) n;
insert into film_actor select a, f from generate_series(1, 40) a, generate_series(1, 9) f;
insert into customer (first_name, last_name, email)
  select 'C' || n, 'L' || n, 'c' || n || '@example.org' from generate_series(1, 30) n;
insert into staff (first_name, username, password, picture)
  values ('Mike', 'mike', 'HUSH', '\x89504e47');
insert into payment (customer_id, staff_id, amount, payment_date)
  select 1 + n % 30, 1, n % 9 + 0.99, timestamptz '2026-01-01Z' + n * interval '6 hours'
  from generate_series(1, 200) n;
refresh materialized view sales_by_rating;
analyze;
