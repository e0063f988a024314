-- Customers :after+1 to :upto; the id is the number. Hashing as in 20-products.sql. The cube of a
-- uniform value gives the first countries of the list most of the customers.
INSERT INTO customers (id, number, country)
WITH RECURSIVE
n (i) AS (
    SELECT :after + 1 WHERE :after < :upto
    UNION ALL
    SELECT i + 1 FROM n WHERE i < :upto
),
h1 (i, x) AS MATERIALIZED (
    SELECT i, (i * 69621 + abs(:seed % 2147483647) * 48271 + 2) % 2147483647 FROM n
),
h2 (i, x, y) AS MATERIALIZED (
    SELECT i, x, (x * x + i) % 2147483647 FROM h1
),
h3 (i, z) AS MATERIALIZED (
    SELECT i, (y * y + x) % 2147483647 FROM h2
)
SELECT h3.i, printf('K%07d', h3.i), country.word
FROM h3
CROSS JOIN demo_words AS country
    ON country.list = 'country' AND country.k = ((z * z >> 31) * z >> 31) * 16 >> 31;
