-- The items of the orders :after+1 to :upto, 1 to 5 each. Hashing as in 20-products.sql.
--
-- The cube of a uniform value picks the product's rank, so that one product in a hundred has a
-- fifth of the sales; multiplying the rank by a large prime, modulo the count, is a permutation
-- that spreads the popular ones over all ids. A cancelled order gives its goods back: its
-- quantities are negative. CROSS JOIN fixes the plan: walk the orders, look up each product.
--
-- The days of all these orders are marked by one statement in the place of triggers, which are
-- away in this transaction alone and come back as 0003-rollup.sql declares them.
DROP TRIGGER order_items_mark_replaced;
DROP TRIGGER order_items_mark_insert;

INSERT INTO order_items (order_id, product_id, quantity, unit_price, line_amount)
WITH
h1 (id, sign, x) AS MATERIALIZED (
    SELECT id,
           CASE status WHEN 'cancelled' THEN -1 ELSE 1 END,
           (id * 62089 + abs(:seed % 2147483647) * 39373 + 4) % 2147483647
    FROM orders
    WHERE id > :after AND id <= :upto
),
-- 25, 30, 22, 15 and 8 orders in a hundred have 1, 2, 3, 4 and 5 items.
h2 (id, sign, y) AS MATERIALIZED (
    SELECT id, sign, (x * x + id) % 2147483647 FROM h1
),
-- 25, 30, 22, 15 and 8 orders in a hundred have 1, 2, 3, 4 and 5 items.
place (k, least) AS (VALUES (1, 0), (2, 25), (3, 55), (4, 77), (5, 92)),
h3 (id, sign, k, y) AS MATERIALIZED (
    SELECT id, sign, k, (y + k * 715827883) % 2147483647
    FROM h2
    CROSS JOIN place ON least <= y * 16807 % 2147483647 * 100 >> 31
),
h4 (id, sign, z) AS MATERIALIZED (
    SELECT id, sign, (y * y + k) % 2147483647 FROM h3
),
chosen (id, product_id, quantity) AS MATERIALIZED (
    SELECT id,
           1 + (((z * z >> 31) * z >> 31) * :products / 2147483648 * 982451653 + 4711) % :products,
           sign * (1 + (((z * 48271 % 2147483647) * (z * 48271 % 2147483647) >> 31) * 5 >> 31))
    FROM h4
)
SELECT chosen.id, p.id, quantity, p.price, quantity * p.price
FROM chosen
CROSS JOIN products AS p ON p.id = chosen.product_id;

INSERT INTO dirty_days (date, channel)
SELECT DISTINCT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
FROM orders WHERE id > :after AND id <= :upto
ON CONFLICT DO NOTHING;

CREATE TRIGGER order_items_mark_replaced BEFORE INSERT ON order_items
WHEN new.id > 0 AND EXISTS (SELECT 1 FROM order_items WHERE id = new.id) BEGIN
    INSERT INTO dirty_days (date, channel)
    SELECT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
    FROM orders WHERE id = (SELECT order_id FROM order_items WHERE id = new.id)
    ON CONFLICT DO NOTHING;
END;

CREATE TRIGGER order_items_mark_insert AFTER INSERT ON order_items BEGIN
    INSERT INTO dirty_days (date, channel)
    SELECT ordered_at - (ordered_at % 86400000000 + 86400000000) % 86400000000, channel
    FROM orders WHERE id = new.order_id
    ON CONFLICT DO NOTHING;
END;
