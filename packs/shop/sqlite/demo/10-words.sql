-- The words that names are made of, and the price range of each category in cents. Two helper
-- tables that live only while the demo is filled. Some words carry quotes, commas and letters
-- beyond ASCII on purpose: real names do.
CREATE TABLE demo_categories (
    k        INTEGER PRIMARY KEY,
    name     TEXT    NOT NULL,
    prefix   TEXT    NOT NULL,
    cheapest INTEGER NOT NULL,
    dearest  INTEGER NOT NULL
) STRICT;

INSERT INTO demo_categories (k, name, prefix, cheapest, dearest) VALUES
    (0, 'Kitchen', 'KIT', 199, 24900),
    (1, 'Home & Living', 'HOM', 299, 49900),
    (2, 'Stationery', 'STA', 49, 5900),
    (3, 'Garden', 'GAR', 249, 39900),
    (4, 'Electronics', 'ELE', 799, 189900),
    (5, 'Toys', 'TOY', 399, 14900),
    (6, 'Clothing', 'CLO', 599, 22900),
    (7, 'Sports', 'SPO', 499, 79900),
    (8, 'Books', 'BOO', 399, 8900),
    (9, 'Beauty', 'BEA', 199, 12900),
    (10, 'Tools & Hardware', 'TOO', 25, 59900),
    (11, 'Food & Drink', 'FOO', 99, 9900);

CREATE TABLE demo_words (
    list TEXT    NOT NULL,
    k    INTEGER NOT NULL,
    word TEXT    NOT NULL,
    PRIMARY KEY (list, k)
) STRICT, WITHOUT ROWID;

-- Each list is one JSON array; the number of an entry is its place in it. A noun list belongs to
-- the category of its prefix and has 10 entries, the others have 16.
INSERT INTO demo_words (list, k, word)
SELECT lists.column1, entry.key, entry.value
FROM (VALUES
    ('adjective', '["Classic","Vintage","Modern","Rustic","Compact","Deluxe","Everyday","Folding",
        "Handmade","Little","Midnight","Nordic","Portable","Quiet","Royal","Slim"]'),
    ('material', '["Oak","Steel","Linen","Ceramic","Glass","Bamboo","Copper","Cotton","Felt",
        "Marble","Walnut","Wool","Crème","Rosé","Zinc","Cork"]'),
    ('variant', '["Small","Medium","Large","XL","Set of 2","Set of 4","Set of 6","Pack of 12",
        "Red","Blue","Green","Black","White","12\"","24\"","No. 5, boxed"]'),
    ('KIT', '["Teapot","Café Mug","Mixing Bowl","Bread Tin","Knife Block","Jam Jar","Cake Stand",
        "Crêpe Pan","Pepper Mill","Lunch Box"]'),
    ('HOM', '["Table Lamp","Cushion","Picture Frame","T-Light Holder","Wall Clock","Throw",
        "Door Mat","Kőszeg Vase","Coat Rack","Chaise"]'),
    ('STA', '["Notebook","Fountain Pen","Desk Tidy","Pencil Case","Gift Wrap","Wax Seal",
        "Letter \"D\" Stamp","Ruler","Calendar","Ink Bottle"]'),
    ('GAR', '["Watering Can","Plant Pot","Bird Feeder","Trowel","Lantern","Hammock","Seed Tray",
        "Parasol","Bench","Jardinière"]'),
    ('ELE', '["Headphones","Desk Fan","Radio","Power Bank","Keyboard","Monitor","Torch",
        "Record Player","Camera","Speaker"]'),
    ('TOY', '["Train Set","Puzzle","Doll''s House","Kite","Spinning Top","Teddy Bear",
        "Board Game","Marbles","Puppet","Building Blocks"]'),
    ('CLO', '["Scarf","Jumper","Rain Coat","Socks","Gloves","Apron","Beret","Shirt","Belt",
        "Children''s Hat"]'),
    ('SPO', '["Yoga Mat","Football","Tent","Rucksack","Skipping Rope","Water Bottle",
        "Tennis Racket","Helmet","Sledge","Dumbbell"]'),
    ('BOO', '["Cookbook","Atlas","Novel","Field Guide","Poems","Sketchbook","Diary",
        "Grammaire française","Short Stories","Travel Guide"]'),
    ('BEA', '["Soap","Hand Cream","Bath Salts","Hair Brush","Candle","Lip Balm","Mirror",
        "Towel","Perfume","Sponge"]'),
    ('TOO', '["Hammer","Screwdriver","Hinge","Wood Screw","Tape Measure","Paint Brush","Spanner",
        "Hook","Tool Box","Müller Clamp"]'),
    ('FOO', '["Tea","Coffee","Shortbread","Olive Oil","Honey","Chutney","Chocolate",
        "Jalapeño Relish","Mustard","Lemonade"]'),
    ('country', '["United Kingdom","Germany","France","Ireland","Netherlands","Spain","Belgium",
        "Switzerland","Portugal","Italy","Norway","Austria","Denmark","Japan","Côte d''Ivoire",
        "Türkiye"]')
) AS lists, json_each(lists.column2) AS entry;
