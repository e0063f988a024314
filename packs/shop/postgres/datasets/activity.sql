-- How often what was done on which day. The first range begins anew.
DELETE FROM activity_totals WHERE :after < (SELECT min(id) FROM activity);
INSERT INTO activity_totals AS t (date, action_name, times_done)
SELECT date_trunc('day', a.happened_at, 'UTC'), a.action_name, count(*)
FROM activity AS a
WHERE a.id > :after AND a.id <= :upto
GROUP BY 1, 2
ON CONFLICT (date, action_name) DO UPDATE SET times_done = t.times_done + excluded.times_done;
