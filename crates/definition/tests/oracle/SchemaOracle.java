import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.StringReader;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import javax.xml.XMLConstants;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.Schema;
import javax.xml.validation.SchemaFactory;
import javax.xml.validation.Validator;
import org.xml.sax.SAXException;

/**
 * The referee: says of each document on standard input whether the schemas of one kind accept it.
 *
 * Arguments: the schema files of each kind, kinds separated by "--". Each question is the number of the kind (one
 * byte), a length (four bytes, big endian) and as many bytes of UTF-8. Each answer is an accepted flag (one byte), a
 * length and the validator's message.
 */
public final class SchemaOracle {
    private static final String NO_DOCTYPE = "http://apache.org/xml/features/disallow-doctype-decl";

    public static void main(String[] files) throws Exception {
        List<Schema> kinds = schemas(files);
        DataInputStream questions = new DataInputStream(System.in);
        DataOutputStream answers = new DataOutputStream(System.out);
        while (true) {
            Schema schema;
            try {
                schema = kinds.get(questions.readUnsignedByte());
            } catch (EOFException end) {
                return;
            }
            byte[] document = questions.readNBytes(questions.readInt());
            String mistake = mistake(schema, new String(document, StandardCharsets.UTF_8));
            byte[] message = (mistake == null ? "" : mistake).getBytes(StandardCharsets.UTF_8);
            answers.writeByte(mistake == null ? 1 : 0);
            answers.writeInt(message.length);
            answers.write(message);
            answers.flush();
        }
    }

    private static List<Schema> schemas(String[] files) throws SAXException {
        List<Schema> kinds = new ArrayList<>();
        List<StreamSource> sources = new ArrayList<>();
        for (String file : files) {
            if (file.equals("--")) {
                kinds.add(schema(sources));
                sources.clear();
            } else {
                URL url = SchemaOracle.class.getClassLoader().getResource(file);
                if (url == null) {
                    throw new IllegalArgumentException("no schema file " + file + " on the class path");
                }
                sources.add(new StreamSource(url.toExternalForm()));
            }
        }
        kinds.add(schema(sources));
        return kinds;
    }

    private static Schema schema(List<StreamSource> sources) throws SAXException {
        SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
        factory.setFeature(NO_DOCTYPE, true);
        return factory.newSchema(sources.toArray(new StreamSource[0]));
    }

    private static String mistake(Schema schema, String document) throws IOException {
        try {
            Validator validator = schema.newValidator();
            validator.setFeature(NO_DOCTYPE, true);
            validator.validate(new StreamSource(new StringReader(document)));
            return null;
        } catch (SAXException mistake) {
            return mistake.getMessage() == null ? mistake.toString() : mistake.getMessage();
        }
    }
}
