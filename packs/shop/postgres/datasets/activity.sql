-- How often what was done on which day. The first range begins anew.
DELETE FROM activity_totals WHERE :after < (SELECT min(id) FROM activity);
INSERT INTO activity_totals AS t (date, action, events)
SELECT date_trunc('day', a.at, 'UTC'), a.action, count(*)
FROM activity AS a
WHERE a.id > :after AND a.id <= :upto
GROUP BY 1, 2
ON CONFLICT (date, action) DO UPDATE SET events = t.events + excluded.events;
