import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.TimeZone;
import org.quartz.CronExpression;

/** Says when Quartz fires: `java -cp quartz-2.3.2.jar:slf4j-api-1.7.7.jar Reference.java expressions.txt > times.tsv`. */
public class Reference {
    static final int MOST = 100;
    static final int MOST_OF_A_YEAR = 30;
    static final String[][] WINDOWS = {
        {"Europe/Berlin", "2026-10-24T12:00", "2026-10-26T12:00"},
        {"Europe/Berlin", "2027-03-27T12:00", "2027-03-29T12:00"},
        {"Europe/Berlin", "2026-12-01T00:00", "2028-03-02T00:00"},
        {"America/New_York", "2026-10-31T12:00", "2026-11-02T12:00"},
        {"America/New_York", "2027-03-13T12:00", "2027-03-15T12:00"},
        {"America/New_York", "2026-12-01T00:00", "2028-03-02T00:00"},
    };

    public static void main(String[] arguments) throws Exception {
        for (String expression : Files.readAllLines(Path.of(arguments[0]))) {
            if (expression.isBlank()) {
                continue;
            }
            for (String[] window : WINDOWS) {
                System.out.println(String.join("\t", expression, window[0], window[1], window[2], times(expression, window)));
            }
        }
    }

    static String times(String expression, String[] window) {
        CronExpression cron;
        try {
            cron = new CronExpression(expression);
        } catch (Exception refusal) {
            return "refused";
        }
        ZoneId zone = ZoneId.of(window[0]);
        cron.setTimeZone(TimeZone.getTimeZone(zone));
        Instant end = LocalDateTime.parse(window[2]).atZone(zone).toInstant();
        Instant at = LocalDateTime.parse(window[1]).atZone(zone).toInstant().minusSeconds(1);
        List<String> found = new ArrayList<>();
        while (found.size() < (window[1].endsWith("T00:00") ? MOST_OF_A_YEAR : MOST)) {
            Date next = cron.getNextValidTimeAfter(Date.from(at));
            if (next == null || next.toInstant().isAfter(end)) {
                break;
            }
            at = next.toInstant();
            found.add(at.toString());
        }
        return String.join(" ", found);
    }
}
