package howdah.examples;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;

/** Counts the words of its arguments and hands the result to the workflow. */
public final class WordCount {
    private WordCount() {
    }

    public static void main(String[] arguments) throws IOException {
        Locale locale = Locale.forLanguageTag(System.getProperty("locale", "en"));
        Map<String, Integer> counts = new TreeMap<>();
        for (String word : String.join(" ", arguments).toLowerCase(locale).split("\\s+")) {
            counts.merge(word, 1, Integer::sum);
        }
        Properties output = new Properties();
        output.setProperty("words", String.valueOf(counts.values().stream().mapToInt(Integer::intValue).sum()));
        output.setProperty("distinct", String.valueOf(counts.size()));
        output.setProperty("most", mostFrequent(counts));
        System.out.println(counts);
        save(output);
    }

    /** Of words that are equally frequent, the first of the alphabet. */
    private static String mostFrequent(Map<String, Integer> counts) {
        String most = "";
        for (String word : counts.keySet()) {
            if (counts.get(word) > counts.getOrDefault(most, 0)) {
                most = word;
            }
        }
        return most;
    }

    /** An action with capture-output is told by this property where to leave its values. */
    private static void save(Properties output) throws IOException {
        try (OutputStream file = new FileOutputStream(System.getProperty("oozie.action.output.properties"))) {
            output.store(file, "words");
        }
    }
}
