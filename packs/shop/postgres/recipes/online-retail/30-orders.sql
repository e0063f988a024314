-- One order per invoice number, with what its first line says (rules 5 to 9). The unique number
-- refuses an order that another writer made since the check.
INSERT INTO orders (number, customer_id, channel, status, country, ordered_at)
WITH invoices (invoice_no, first_line) AS (
    SELECT invoice_no, min(line)
    FROM staging_online_retail
    GROUP BY invoice_no
)
SELECT s.invoice_no,
       c.id,
       'online',
       CASE substr(s.invoice_no, 1, 1)
           WHEN 'C' THEN 'cancelled'
           WHEN 'A' THEN 'adjustment'
           ELSE 'completed'
       END,
       s.country,
       s.invoice_date
FROM invoices
JOIN staging_online_retail AS s ON s.line = invoices.first_line
LEFT JOIN customers AS c
    ON c.number = CASE WHEN s.customer_id LIKE '%.0'
                       THEN substr(s.customer_id, 1, length(s.customer_id) - 2)
                       ELSE s.customer_id
                  END
ORDER BY invoices.first_line;
