-- A transaction of its own: it must see what went in before it began. Indexes: app_use_app, the primary key of app.
SELECT howdah_drop_loose_apps()
