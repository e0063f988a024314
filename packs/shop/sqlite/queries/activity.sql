--! title = "Activity by day and action"
--! about = "Events and actors of each day of UTC and action that has any, newest first"
--! key = ["day", "action_name"]
--! order = "-day"
--! columns = { day = "text", action_name = "text", times_done = "int", actors = "int" }
--! [params]
--! from = { type = "time", about = "the first moment" }
--! to = { type = "time", default = "2200-01-01", about = "the moment behind the last" }
--! actor = { type = "text", optional = true }
SELECT date(a.happened_at / 1000000, 'unixepoch') AS day,
       a.action_name AS action_name,
       count(*) AS times_done,
       count(DISTINCT a.actor) AS actors
FROM activity AS a
WHERE a.happened_at >= :from AND a.happened_at < :to AND (:actor IS NULL OR a.actor = :actor)
GROUP BY day, a.action_name
