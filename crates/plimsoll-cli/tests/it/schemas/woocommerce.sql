-- After WordPress with WooCommerce, as it looks once it was moved to PostgreSQL. Each secret holds
-- HUSH.
create table wp_users (
  "ID" bigserial primary key, user_login varchar(60) not null default '',
  user_pass varchar(255) not null default '', user_nicename varchar(50) not null default '',
  user_email varchar(100) not null default '', user_registered timestamp not null,
  user_activation_key varchar(255) not null default '', display_name varchar(250) not null
);
create table wp_usermeta (
  umeta_id bigserial primary key, user_id bigint not null default 0, meta_key varchar(255),
  meta_value text
);
create table wp_posts (
  "ID" bigserial primary key, post_author bigint not null default 0, post_date timestamp not null,
  post_content text not null, post_title text not null, post_status varchar(20) not null,
  post_password varchar(255) not null default '', post_name varchar(200) not null default '',
  post_parent bigint not null default 0, menu_order int not null default 0,
  post_type varchar(20) not null default 'post', comment_count bigint not null default 0
);
create index wp_posts_type_status_date on wp_posts (post_type, post_status, post_date, "ID");
create table wp_postmeta (
  meta_id bigserial primary key, post_id bigint not null default 0, meta_key varchar(255),
  meta_value text
);
create index wp_postmeta_post_id on wp_postmeta (post_id);
create table wp_options (
  option_id bigserial primary key, option_name varchar(191) not null unique,
  option_value text not null, autoload varchar(20) not null default 'yes'
);
create table wp_terms (
  term_id bigserial primary key, name varchar(200) not null, slug varchar(200) not null,
  term_group bigint not null default 0
);
create table wp_term_relationships (
  object_id bigint not null, term_taxonomy_id bigint not null, term_order int not null default 0,
  primary key (object_id, term_taxonomy_id)
);
create table wp_wc_order_stats (
  order_id bigint primary key, parent_id bigint not null default 0, date_created timestamp not null,
  num_items_sold int not null default 0, total_sales double precision not null default 0,
  net_total double precision not null default 0, returning_customer boolean,
  status varchar(200) not null, customer_id bigint not null
);
create index wp_wc_order_stats_date_created on wp_wc_order_stats (date_created);
create table wp_wc_order_product_lookup (
  order_item_id bigint primary key, order_id bigint not null, product_id bigint not null,
  product_qty int not null, product_net_revenue numeric(19,4) not null default 0
);
create table wp_wc_orders (
  id bigint primary key, status varchar(20), currency varchar(10), type varchar(20),
  tax_amount numeric(26,8), total_amount numeric(26,8), customer_id bigint,
  date_created_gmt timestamp
);
create table wp_woocommerce_api_keys (
  key_id bigserial primary key, user_id bigint not null, description varchar(200),
  permissions varchar(10) not null, consumer_key char(64) not null,
  consumer_secret char(43) not null, nonces text, truncated_key char(7) not null
);
create table wp_woocommerce_sessions (
  session_id bigserial primary key, session_key char(32) not null unique,
  session_value text not null, session_expiry bigint not null
);
create table wp_wc_webhooks (
  webhook_id bigserial primary key, status varchar(200) not null, name text not null,
  delivery_url text not null, secret text not null
);
create table wp_actionscheduler_logs (action_id bigint not null, message text not null);
insert into wp_users (user_login, user_pass, user_registered, user_activation_key, display_name)
  select 'u' || n, 'HUSH', '2026-01-01', 'HUSH', 'User ' || n from generate_series(1, 60) n;
insert into wp_usermeta (user_id, meta_key, meta_value)
  select n, 'nickname', 'n' || n from generate_series(1, 60) n;
insert into wp_posts (post_date, post_content, post_title, post_status, post_password, post_type)
  select timestamp '2026-01-01' + n * interval '1 hour', repeat('text ', 50), 'Post ' || n,
    'publish', 'HUSH', case n % 3 when 0 then 'product' else 'post' end
  from generate_series(1, 300) n;
insert into wp_postmeta (post_id, meta_key, meta_value)
  select n, '_price', n::text from generate_series(1, 300) n;
insert into wp_options (option_name, option_value) values ('siteurl', 'https://example.org');
insert into wp_terms (name, slug) values ('Garden', 'garden');
insert into wp_term_relationships select n, 1 from generate_series(1, 100) n;
insert into wp_wc_order_stats (order_id, date_created, total_sales, status, customer_id)
  select n, '2026-01-01', n * 1.1, 'wc-completed', n % 60 from generate_series(1, 90) n;
insert into wp_wc_order_product_lookup
  select n, n, n % 100, 1, n * 1.25 from generate_series(1, 90) n;
insert into wp_wc_orders select n, 'wc-completed', 'EUR', 'shop_order', 0.19, n * 1.19, n % 60,
  '2026-01-01' from generate_series(1, 90) n;
insert into wp_woocommerce_api_keys
    (user_id, permissions, consumer_key, consumer_secret, truncated_key)
  values (1, 'read', 'HUSH', 'HUSH', 'abcdefg');
insert into wp_woocommerce_sessions (session_key, session_value, session_expiry)
  values ('HUSH', 'cart', 1767225600);
insert into wp_wc_webhooks (status, name, delivery_url, secret)
  values ('active', 'orders', 'https://example.org/hook', 'HUSH');
insert into wp_actionscheduler_logs values (1, 'started');
