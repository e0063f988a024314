-- Words in the code and the name of products, for search. The index holds no texts of its own: it
-- reads them from the table when it is made, and triggers tell it what changes afterwards.
--
-- A change of price or stock does not come this way.

CREATE VIRTUAL TABLE products_search USING fts5 (
    sku, name, content = 'products', content_rowid = 'id'
);

INSERT INTO products_search (products_search) VALUES ('rebuild');

CREATE TRIGGER products_search_insert AFTER INSERT ON products BEGIN
    INSERT INTO products_search (rowid, sku, name) VALUES (new.id, new.sku, new.name);
END;

CREATE TRIGGER products_search_delete AFTER DELETE ON products BEGIN
    INSERT INTO products_search (products_search, rowid, sku, name)
    VALUES ('delete', old.id, old.sku, old.name);
END;

CREATE TRIGGER products_search_update AFTER UPDATE OF id, sku, name ON products BEGIN
    INSERT INTO products_search (products_search, rowid, sku, name)
    VALUES ('delete', old.id, old.sku, old.name);
    INSERT INTO products_search (rowid, sku, name) VALUES (new.id, new.sku, new.name);
END;
