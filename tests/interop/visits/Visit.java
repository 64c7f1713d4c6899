import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import org.apache.commons.net.ftp.FTP;
import org.apache.commons.net.ftp.FTPClient;
import org.apache.commons.net.ftp.FTPFile;
import org.apache.commons.net.ftp.FTPSClient;

/** A visit with Apache commons-net: HOST PORT plain|tls. */
public class Visit {
    static void must(boolean done, FTPClient ftp) {
        if (!done) throw new IllegalStateException(ftp.getReplyString());
    }

    public static void main(String[] arguments) throws Exception {
        FTPClient ftp;
        if (arguments[2].equals("tls")) {
            FTPSClient secure = new FTPSClient("TLS", false);
            secure.setTrustManager(org.apache.commons.net.util.TrustManagerUtils.getAcceptAllTrustManager());
            ftp = secure;
        } else {
            ftp = new FTPClient();
        }
        ftp.connect(arguments[0], Integer.parseInt(arguments[1]));
        must(ftp.login("alice", "secret"), ftp);
        if (ftp instanceof FTPSClient) {
            ((FTPSClient) ftp).execPBSZ(0);
            ((FTPSClient) ftp).execPROT("P");
        }
        ftp.enterLocalPassiveMode();
        System.out.println(ftp.printWorkingDirectory());
        for (FTPFile file : ftp.listFiles()) System.out.println(file.getName() + " " + file.getSize());
        for (FTPFile file : ftp.mlistDir("pub")) System.out.println(file.getName());
        for (String name : ftp.listNames("pub")) System.out.println(name);
        must(ftp.changeWorkingDirectory("pub"), ftp);
        must(ftp.setFileType(FTP.BINARY_FILE_TYPE), ftp);
        System.out.println(ftp.getModificationTime("a"));
        ByteArrayOutputStream got = new ByteArrayOutputStream();
        must(ftp.retrieveFile("a", got), ftp);
        must(ftp.storeFile("up", new ByteArrayInputStream(got.toByteArray())), ftp);
        must(ftp.appendFile("up", new ByteArrayInputStream(got.toByteArray())), ftp);
        ftp.setRestartOffset(1);
        must(ftp.retrieveFile("up", got), ftp);
        must(ftp.rename("up", "moved"), ftp);
        must(ftp.deleteFile("moved"), ftp);
        must(ftp.makeDirectory("made"), ftp);
        must(ftp.removeDirectory("made"), ftp);
        must(ftp.changeToParentDirectory(), ftp);
        must(!ftp.retrieveFile("missing", got), ftp);
        ftp.logout();
        ftp.disconnect();
    }
}
