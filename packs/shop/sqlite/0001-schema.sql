-- The shop: products, customers, orders and their items.
--
-- Conventions: money is an INTEGER of 1/10000, a time is an INTEGER of microseconds UTC, text is
-- compared by bytes (BINARY), and STRICT tables refuse a value of any other kind.
--
--   customers 1 <--- 0..n orders 1 <--- 0..n order_items n ---> 1 products
--
-- Nothing cascades: a product or an order that is still referred to cannot be deleted, because a
-- sale that loses its lines would change every sum that was reported before.

CREATE TABLE products (
    id         INTEGER PRIMARY KEY,
    sku        TEXT    NOT NULL UNIQUE CHECK (sku <> ''),
    name       TEXT    NOT NULL,
    category   TEXT,
    price      INTEGER NOT NULL CHECK (price >= 0),
    stock      INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    version    INTEGER NOT NULL DEFAULT 1
) STRICT;

-- SQLite appends the row's id to every index, so each of these also gives the order with the id as
-- the tie-break that a page by key needs.
CREATE INDEX products_by_category ON products (category);
CREATE INDEX products_by_price ON products (price);

CREATE TABLE customers (
    id      INTEGER PRIMARY KEY,
    number  TEXT    NOT NULL UNIQUE CHECK (number <> ''),
    country TEXT,
    version INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE orders (
    id          INTEGER PRIMARY KEY,
    number      TEXT    NOT NULL UNIQUE CHECK (number <> ''),
    customer_id INTEGER REFERENCES customers (id),
    channel     TEXT    NOT NULL CHECK (channel <> ''),
    status      TEXT    NOT NULL CHECK (status IN ('completed', 'cancelled', 'adjustment')),
    country     TEXT,
    ordered_at  INTEGER NOT NULL,
    version     INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE INDEX orders_by_time ON orders (ordered_at);
CREATE INDEX orders_by_channel ON orders (channel, ordered_at);
CREATE INDEX orders_by_customer ON orders (customer_id);

CREATE TABLE order_items (
    id          INTEGER PRIMARY KEY,
    order_id    INTEGER NOT NULL REFERENCES orders (id),
    product_id  INTEGER NOT NULL REFERENCES products (id),
    quantity    INTEGER NOT NULL,
    unit_price  INTEGER NOT NULL,
    line_amount INTEGER NOT NULL CHECK (line_amount = quantity * unit_price)
) STRICT;

-- The first holds all that a sum over orders reads, so analytics never touch the table itself. The
-- second is what the foreign key asks when a product is deleted: without it each deletion would
-- read every item while it holds the write lock.
CREATE INDEX order_items_by_order ON order_items (order_id, product_id, quantity, line_amount);
CREATE INDEX order_items_by_product ON order_items (product_id);
