# Six numbers of a customer, shared by training and prediction; is_complete says whether nothing is missing.
function features(x) {
    x[1] = $2
    x[2] = $3
    x[3] = $4
    x[4] = $5 == "yearly"
    x[5] = $6 == "yes"
    x[6] = $7
    return 6
}

function is_complete(    field) {
    for (field = 1; field <= 7; field++) if ($field == "") return 0
    return 1
}

function probability(x, weight, count,    j, z) {
    z = weight[0]
    for (j = 1; j <= count; j++) z += weight[j] * x[j]
    return 1 / (1 + exp(-z))
}
