--! title = "Activity by day and action"
--! about = "Events and actors of each day of UTC and action that has any, newest first"
--! key = ["day", "action"]
--! order = "-day"
--! columns = { day = "text", action = "text", events = "int", actors = "int" }
--! [params]
--! from = { type = "time", about = "the first moment" }
--! to = { type = "time", default = "2200-01-01", about = "the moment behind the last" }
--! actor = { type = "text", optional = true }
SELECT date(a.at / 1000000, 'unixepoch') AS day,
       a.action AS action,
       count(*) AS events,
       count(DISTINCT a.actor) AS actors
FROM activity AS a
WHERE a.at >= :from AND a.at < :to AND (:actor IS NULL OR a.actor = :actor)
GROUP BY day, a.action
