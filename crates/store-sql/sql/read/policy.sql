SELECT revision, policy FROM policy WHERE id = 1
