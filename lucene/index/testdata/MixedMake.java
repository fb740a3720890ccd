import java.nio.file.Paths;
import org.apache.lucene.document.*;
import org.apache.lucene.index.*;
import org.apache.lucene.store.FSDirectory;
import org.apache.lucene.util.BytesRef;

/** Adds segments of this version of Lucene to an index, and deletes softly and hard in those that it has: MixedMake DIR FROM TO. */
public class MixedMake {
  public static void main(String[] a) throws Exception {
    int from = Integer.parseInt(a[1]), to = Integer.parseInt(a[2]);
    IndexWriterConfig c = new IndexWriterConfig(null).setSoftDeletesField("__soft_deletes").setMergePolicy(NoMergePolicy.INSTANCE).setUseCompoundFile(from > 0);
    try (FSDirectory d = FSDirectory.open(Paths.get(a[0])); IndexWriter w = new IndexWriter(d, c)) {
      for (int i = from; i < to; i++) {
        Document doc = new Document();
        doc.add(new StringField("_id", "id" + i, Field.Store.YES));
        doc.add(new NumericDocValuesField("number", i * 31L % 1000));
        doc.add(new SortedSetDocValuesField("key", new BytesRef("key" + i % 17)));
        doc.add(new LongPoint("point", i * 7919L % 100003));
        doc.add(new StringField("tag", i % 5 == 0 ? "common" : "rare" + i, Field.Store.NO));
        w.addDocument(doc);
        if (i == (from + to) / 2) w.flush();
      }
      w.flush();
      for (int i = 0; i < to; i += 9) w.softUpdateDocument(new Term("_id", "id" + i), new Document(), new NumericDocValuesField("__soft_deletes", 1));
      if (from > 0) w.deleteDocuments(new Term("_id", "id7"));
      w.commit();
    }
  }
}
