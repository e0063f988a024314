-- An invoice that is already an order would be loaded twice: name the first and stop (rule 10).
SELECT 'order ' || o.number || ' exists already (id ' || o.id || '), so line ' || s.line
       || ' cannot be loaded; delete the order or load into an empty database'
FROM staging_online_retail AS s
JOIN orders AS o ON o.number = s.invoice_no
ORDER BY s.line
LIMIT 1;
