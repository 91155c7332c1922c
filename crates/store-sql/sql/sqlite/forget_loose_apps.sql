DELETE FROM app_loose
