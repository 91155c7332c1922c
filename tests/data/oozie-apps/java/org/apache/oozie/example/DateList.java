package org.apache.oozie.example;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Properties;
import java.util.StringJoiner;

/**
 * The main class that the definition of datelist-java-main names: every date from the first argument up to, but not
 * including, the second, in steps of the third and fourth, in the zone of the fifth; captured as "datelist".
 */
public final class DateList {
    private DateList() {
    }

    public static void main(String[] arguments) throws IOException {
        DateTimeFormatter format = DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm'Z'").withZone(ZoneId.of(arguments[4]));
        ZonedDateTime end = ZonedDateTime.parse(arguments[1], format);
        long step = Long.parseLong(arguments[2]);
        ChronoUnit unit = unit(arguments[3]);
        StringJoiner dates = new StringJoiner(",");
        for (ZonedDateTime date = ZonedDateTime.parse(arguments[0], format); date.isBefore(end); date = date.plus(step, unit)) {
            dates.add(format.format(date));
        }
        save(dates.toString());
    }

    /** The definition says MINUTE or MINUTES; the library knows the latter. */
    private static ChronoUnit unit(String name) {
        return ChronoUnit.valueOf(name.endsWith("S") ? name : name + "S");
    }

    private static void save(String dates) throws IOException {
        Properties output = new Properties();
        output.setProperty("datelist", dates);
        try (OutputStream file = new FileOutputStream(System.getProperty("oozie.action.output.properties"))) {
            output.store(file, "dates");
        }
    }
}
