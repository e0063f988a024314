-- One product per stock code, in the order of first appearance (rules 2, 3, 4, 9, 10).
--
-- `codes` packs the second and the line of a sale into one integer, so that one pass finds the
-- latest priced line: seconds * 2^28 + line fits 63 bits up to the year 3000 and 268 million lines.
INSERT INTO products (sku, name, category, price, stock, created_at, updated_at)
WITH packed (line, stock_code, unit_price, moment) AS (
    SELECT line,
           stock_code,
           unit_price,
           (extract(epoch FROM date_trunc('second', invoice_date))::bigint << 28) + line
    FROM staging_online_retail
),
codes (code, first_line, last_line, priced_line) AS (
    SELECT stock_code,
           min(line),
           max(moment) & 268435455,
           (max(moment) FILTER (WHERE unit_price > 0)) & 268435455
    FROM packed
    GROUP BY stock_code
),
descriptions (code, description, uses) AS (
    SELECT stock_code, description, count(*)
    FROM staging_online_retail
    WHERE description IS NOT NULL
    GROUP BY stock_code, description
),
ranked (code, description, place) AS (
    SELECT code,
           description,
           row_number() OVER (PARTITION BY code ORDER BY uses DESC, description)
    FROM descriptions
)
SELECT codes.code,
       coalesce(ranked.description, codes.code),
       NULL,
       coalesce(priced.unit_price, 0),
       0,
       first.invoice_date,
       last.invoice_date
FROM codes
JOIN staging_online_retail AS first ON first.line = codes.first_line
JOIN staging_online_retail AS last ON last.line = codes.last_line
LEFT JOIN staging_online_retail AS priced ON priced.line = codes.priced_line
LEFT JOIN ranked ON ranked.code = codes.code AND ranked.place = 1
ORDER BY codes.first_line
ON CONFLICT (sku) DO NOTHING;
