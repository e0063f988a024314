-- What `laravel new` makes, with a few rows. Each secret holds HUSH.
create table migrations (
  id serial primary key, migration varchar(255) not null, batch int not null
);
create table users (
  id bigserial primary key, name varchar(255) not null, email varchar(255) not null unique,
  email_verified_at timestamp(0), password varchar(255) not null, remember_token varchar(100),
  created_at timestamp(0), updated_at timestamp(0)
);
create table password_reset_tokens (
  email varchar(255) primary key, token varchar(255) not null, created_at timestamp(0)
);
create table sessions (
  id varchar(255) primary key, user_id bigint, ip_address varchar(45), user_agent text,
  payload text not null, last_activity int not null
);
create index sessions_user_id_index on sessions (user_id);
create index sessions_last_activity_index on sessions (last_activity);
create table cache (key varchar(255) primary key, value text not null, expiration int not null);
create table cache_locks (
  key varchar(255) primary key, owner varchar(255) not null, expiration int not null
);
create table jobs (
  id bigserial primary key, queue varchar(255) not null, payload text not null,
  attempts smallint not null, reserved_at int, available_at int not null, created_at int not null
);
create index jobs_queue_index on jobs (queue);
create table job_batches (
  id varchar(255) primary key, name varchar(255) not null, total_jobs int not null,
  pending_jobs int not null, failed_jobs int not null, failed_job_ids text not null, options text,
  cancelled_at int, created_at int not null, finished_at int
);
create table failed_jobs (
  id bigserial primary key, uuid varchar(255) not null unique, connection text not null,
  queue text not null, payload text not null, exception text not null,
  failed_at timestamp(0) not null default current_timestamp
);
create table personal_access_tokens (
  id bigserial primary key, tokenable_type varchar(255) not null, tokenable_id bigint not null,
  name varchar(255) not null, token varchar(64) not null unique, abilities text,
  last_used_at timestamp(0), expires_at timestamp(0), created_at timestamp(0),
  updated_at timestamp(0)
);
create index personal_access_tokens_tokenable_type_tokenable_id_index
  on personal_access_tokens (tokenable_type, tokenable_id);
insert into migrations (migration, batch)
  select '0001_01_01_' || lpad(n::text, 6, '0') || '_create_table', 1 from generate_series(0, 2) n;
insert into users (name, email, password, remember_token, created_at)
  select 'User ' || n, 'u' || n || '@example.org', 'HUSH', 'HUSH', '2026-01-01 00:00:00'
  from generate_series(1, 120) n;
insert into password_reset_tokens select 'u' || n || '@example.org', 'HUSH'
  from generate_series(1, 3) n;
insert into sessions select md5(n::text), n, '192.0.2.1', 'curl', 'payload', 1767225600 + n
  from generate_series(1, 7) n;
insert into cache select 'key ' || n, 'i:' || n, 1767225600 from generate_series(1, 4) n;
insert into cache_locks values ('import', 'me', 1767225600);
insert into jobs (queue, payload, attempts, available_at, created_at)
  select 'default', '{"job":' || n || '}', 0, n, n from generate_series(1, 60) n;
insert into job_batches values ('b1', 'Import', 3, 1, 0, '[]', null, null, 1767225600, null);
insert into failed_jobs (uuid, connection, queue, payload, exception)
  values (gen_random_uuid()::text, 'database', 'default', '{}', 'it failed');
insert into personal_access_tokens (tokenable_type, tokenable_id, name, token)
  select 'App\Models\User', n, 'phone', 'HUSH' || n from generate_series(1, 5) n;
