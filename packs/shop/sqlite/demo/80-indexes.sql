-- What 15-drop-indexes.sql took away, as 0001-schema.sql and 0002-search.sql declare it.
CREATE INDEX IF NOT EXISTS products_by_price ON products (price);
CREATE INDEX IF NOT EXISTS orders_by_customer ON orders (customer_id);
CREATE INDEX IF NOT EXISTS order_items_by_product ON order_items (product_id);
INSERT INTO products_search (products_search) VALUES ('rebuild');
CREATE TRIGGER IF NOT EXISTS products_search_insert AFTER INSERT ON products BEGIN
    INSERT INTO products_search (rowid, sku, name) VALUES (new.id, new.sku, new.name);
END;
