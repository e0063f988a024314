-- One customer per id, with the country of the first line that names it (rules 8, 9, 10).
INSERT INTO customers (number, country)
WITH seen (customer_id, first_line) AS (
    SELECT customer_id, min(line)
    FROM staging_online_retail
    WHERE customer_id IS NOT NULL
    GROUP BY customer_id
)
SELECT CASE WHEN s.customer_id LIKE '%.0'
            THEN substr(s.customer_id, 1, length(s.customer_id) - 2)
            ELSE s.customer_id
       END,
       s.country
FROM seen
JOIN staging_online_retail AS s ON s.line = seen.first_line
ORDER BY seen.first_line
ON CONFLICT (number) DO NOTHING;
