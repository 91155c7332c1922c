-- Compare and set; a row comes back when it was set.
UPDATE policy SET revision = revision + 1, policy = $2 WHERE id = 1 AND revision = $1 RETURNING revision, policy
